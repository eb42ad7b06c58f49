/// Shifts and a factor that divide in int32: `(x >> zeros) * factor >> shift` is `x / divisor`.
public struct Reciprocal: Hashable, Sendable {
    /// Zeros at the end of the divisor; of a power of two its only shift.
    public let zeros: Int32
    public let factor: Int32
    public let shift: Int32

    /// nil where no factor is exact for all x of `0..<limit` without leaving int32.
    public init?(of divisor: Int, below limit: Int) {
        zeros = Int32(divisor.trailingZeroBitCount)
        let (odd, count) = (divisor >> zeros, (limit - 1) >> zeros + 1)
        // The factor errs by e / 2^shift, e up to the divisor: exact while x * e < 2^shift.
        for shift in 18...30 as ClosedRange<Int32> {
            let factor = (1 << Int(shift)) / odd + 1
            guard factor * count <= Int(Int32.max) else { return nil }
            if (factor * odd - 1 << Int(shift)) * count <= 1 << Int(shift) {
                (self.factor, self.shift) = (Int32(factor), shift)
                return
            }
        }
        return nil
    }
}
