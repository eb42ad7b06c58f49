import Testing

@testable import LPUVerifier

/// What the algebra of law 16 takes for equal.
@Suite struct AlgebraTests {
    /// x less nearly x is some of x, however little; what differs by roundings alone cancels.
    @Test func onlyEqualNumbersCancel() {
        let algebra = Algebra(tokens: 1)
        let x = algebra.polynomial(.named, algebra.name("x"))
        let rest = algebra.subtract(x, algebra.scaled(x, by: 0.999995))
        #expect(algebra.scaled(rest, by: 2e5) == x)
        #expect(algebra.subtract(x, algebra.scaled(x, by: 0.9999999)) == Algebra.zero)
    }
}
