extension Int {
    /// The next multiple of `unit`, or itself if it is one.
    /// - Requires: neither is negative, and `unit` is not 0.
    @inlinable public func roundedUp(toMultipleOf unit: Int) -> Int {
        (self + unit - 1) / unit * unit
    }
}
