import LPUNumerics
import LPUSupport
import Testing

@Suite struct TrigonometryTests {
    /// x, cos x and sin x from mpmath 1.3, 60 digits; the last five are next to multiples of π/2.
    static let known: [(Double, Double, Double)] = [
        (0.0, 1.0, 0.0),
        (1e-08, 0.99999999999999995, 1.0e-8),
        (0.5, 0.877582561890372716, 0.479425538604203),
        (1.0, 0.540302305868139717, 0.841470984807896507),
        (2.0, -0.416146836547142387, 0.909297426825681695),
        (3.0, -0.989992496600445457, 0.141120008059867222),
        (-4.0, -0.653643620863611915, 0.756802495307928251),
        (100.0, 0.862318872287683934, -0.506365641109758794),
        (131071.0, -0.817983499387949081, -0.575241683754789371),
        (1048575.0, 0.788042239528927469, -0.615621173058750884),
        (-1048575.75, 0.996232987913590928, -0.0867169752283772419),
        (573204.0, -2.93889986440703308e-7, 0.999999999999956814),
        (0.1, 0.995004165278025766, 0.0998334166468281578),
        (710.0, 0.999999998182635921, 0.0000602887066915852659),
        (1.5707963267948966, 6.12323399573676589e-17, 1.0),
        (3.141592653589793, -1.0, 1.22464679914735318e-16),
        (4.71238898038469, -1.83697019872102977e-16, -1.0),
        (540.3539364174444, 1.0, -3.52747796605364784e-14),
        (1048574.0923776457, -1.18371146584851848e-11, -1.0),
    ]

    @Test func agreesWithKnownValues() {
        for (x, cosine, sine) in Self.known {
            #expect((Trigonometry.cosine(x) - cosine).magnitude < 1e-15, "\(x)")
            #expect((Trigonometry.sine(x) - sine).magnitude < 1e-15, "\(x)")
        }
    }

    @Test func squaresSumToOneAndHalvesDouble() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let x = Double.random(in: -0x1p19..<0x1p19, using: &random)
            let (c, s) = (Trigonometry.cosine(x), Trigonometry.sine(x))
            #expect((c * c + s * s - 1).magnitude < 1e-15, "\(x)")
            #expect((Trigonometry.sine(2 * x) - 2 * s * c).magnitude < 3e-15, "\(x)")
            #expect(Trigonometry.cosine(-x) == c && Trigonometry.sine(-x) == -s, "\(x)")
        }
    }
}
