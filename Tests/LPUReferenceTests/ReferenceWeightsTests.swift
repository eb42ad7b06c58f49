import Testing

@testable import LPUReference

@Suite struct ReferenceWeightsTests {
    /// Published values: FNV-1a of "a" and "foobar" (RFC 9923), splitmix64 from seed 0.
    @Test func hashesArePublishedOnes() {
        #expect(ReferenceWeights.fnv1a64("") == 0xcbf2_9ce4_8422_2325)
        #expect(ReferenceWeights.fnv1a64("a") == 0xaf63_dc4c_8601_ec8c)
        #expect(ReferenceWeights.fnv1a64("foobar") == 0x8594_4171_f739_67e8)
        #expect(ReferenceWeights.splitmix64(0) == 0xe220_a839_7b1d_cdaf)
        #expect(ReferenceWeights.splitmix64(0x9e37_79b9_7f4a_7c15) == 0x6e78_9e6a_a1b9_65f4)
    }

    @Test(arguments: [
        ("model.norm.weight", 0.75, 1.25), ("embeddings.LayerNorm.weight", 0.75, 1.25),
        ("model.layers.0.self_attn.q_norm.weight", 1.25, 1.75),
        ("model.layers.0.self_attn.q_proj.weight", -0.125, 0.125),
        ("model.layers.0.self_attn.q_proj.bias", -0.25, 0.25),
        ("model.layers.0.mlp.down_proj.weight", -0.0625, 0.0625),
    ])
    func elementsFillTheirRange(_ name: String, low: Double, high: Double) {
        let elements = ReferenceWeights.tensor(name, shape: [40, 100])
        #expect(elements.allSatisfy { $0 >= low && $0 < high && $0 == Double(Float($0)) })
        let mean = elements.reduce(0, +) / 4000
        #expect(abs(mean - (low + high) / 2) < 0.02 * (high - low))
        #expect(elements.max()! > high - 0.01 * (high - low))
        #expect(elements.min()! < low + 0.01 * (high - low))
    }

    @Test func wideChangesQueriesAndKeysOnly() {
        for (projection, factor) in [("q", 4.5), ("k", 4.5), ("v", 1), ("o", 1)] {
            let name = "model.layers.1.self_attn.\(projection)_proj.weight"
            let usual = ReferenceWeights.tensor(name, shape: [8])
            let wide = ReferenceWeights.tensor(name, shape: [8], wide: true)
            // Each is rounded to Float on its own.
            #expect(zip(wide, usual).allSatisfy { abs($0 - $1 * factor) < 0x1p-24 })
        }
    }
}
