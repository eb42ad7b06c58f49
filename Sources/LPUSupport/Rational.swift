/// A positive rational number of cycles, such as a link's interval 246/25; kept in lowest terms.
@frozen public struct Rational: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let numerator: Int
    public let denominator: Int

    /// - Requires: both are positive.
    public init(_ numerator: Int, _ denominator: Int = 1) {
        precondition(numerator > 0 && denominator > 0, "a rational interval is positive")
        var (a, b) = (numerator, denominator)
        while b != 0 { (a, b) = (b, a % b) }
        self.numerator = numerator / a
        self.denominator = denominator / a
    }

    public static func < (a: Rational, b: Rational) -> Bool {
        a.numerator * b.denominator < b.numerator * a.denominator
    }

    /// Where any b + 1 events span a cycles at least, and any two floor(a/b), for an interval a/b:
    /// what two are apart that may be neighbours whatever else comes before and after.
    public var widestGap: Int { numerator - (denominator - 1) * (numerator / denominator) }

    public var description: String { "\(numerator)/\(denominator)" }
    /// The value as a Double, for reports only.
    public var value: Double { Double(numerator) / Double(denominator) }
}
