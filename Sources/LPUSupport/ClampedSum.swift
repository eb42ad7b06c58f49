extension Sequence<Int> {
    /// The sum of counts, at most `Int.max`: what is read may count more than 64 bits hold.
    @inlinable public func clampedSum() -> Int {
        reduce(0) { total, count in
            let (sum, overflow) = total.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
    }
}
