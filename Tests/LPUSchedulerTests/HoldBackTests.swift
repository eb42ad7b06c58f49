import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUScheduler
import LPUSupport
import Testing

/// Loads of a sum whose activations arrive one after another, far apart.
@Suite struct HoldBackTests {
    static let tiles = 12

    /// A sum over tiles of weights, each times what takes a few operations more to make.
    static func program(_ chip: Chip) -> Program {
        var builder = TemplateBuilder(
            "sum", chipCount: 1, lanesPerSuperlane: chip.lanesPerSuperlane)
        let weights = builder.image(
            "weights", type: .fp8, count: tiles * chip.planeRows,
            .constant(
                bits: 0x38, vectors: 0..<tiles * chip.planeRows, lanes: 0..<chip.lanes))
        let token = builder.ingress(count: 1)
        var x = builder.elementwise(.toFP32, Use(token))
        let terms = (0..<tiles).map { k in
            for _ in 0..<3 { x = builder.elementwise(.add, Use(x), 1) }
            let activation = builder.elementwise(.toFP8, Use(x))
            return MatmulTerm(
                Use(activation),
                Tile([Use(weights, start: k * chip.planeRows)], count: chip.planeRows))
        }
        builder.egress(Use(builder.matmul(terms)))
        return Program(
            name: "sum", lanes: chip.lanes, lanesPerSuperlane: chip.lanesPerSuperlane,
            templates: [builder.template],
            instances: [Instance(template: 0, chips: [ChipID(0)])])
    }

    @Test func `loads follow one another closely up to the last activation`() throws {
        let machine = try #require(Machine.preset(named: "lpx256"))
        let chip = machine.chip
        let program = Self.program(chip)
        try program.validate()
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let units = chip.units
        let bursts = schedule.templates[0].chips[0].bursts
        let loads = bursts.filter {
            if case .loadWeights = units[$0.queue.index] { true } else { false }
        }
        let first = try #require(loads.map(\.start.index).min())
        let last = try #require(loads.map(\.lastIssue.index).max())
        // All of them, a cycle between two, and a tile's time to spare.
        let dense = Self.tiles * (chip.loadCycles + 1)
        #expect(last - first < dense + 2 * chip.loadCycles)
        // They would have been loaded from the start, while activations are still made.
        #expect(first > dense)
    }
}
