import LPUMachine
import LPUModel
import LPUSupport
import Testing

@testable import LPUPlanning

/// What the lowering lacks is refused in words, and no plan of it is offered.
@Suite struct UnsupportedTests {
    private let model = ModelConfiguration(
        architecture: .llama, layerCount: 2, hiddenSize: 64, intermediateSize: 64,
        vocabularySize: 100, queryHeadCount: 2, keyValueHeadCount: 2, headDimension: 32,
        maximumPositions: 1 << 22, normEpsilon: 1e-5,
        rotary: RotaryEmbedding(theta: 10_000, headDimension: 32))

    private func expectRefused(
        _ words: String, _ request: PlanRequest = PlanRequest(context: 64),
        _ change: (inout Chip) -> Void = { _ in }
    ) throws {
        var machine = try #require(Machine.preset(named: "groqchip1"))
        change(&machine.chip)
        let error = #expect(throws: DiagnosticSet.self) {
            try enumeratePlans(model, on: machine, request)
        }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test func chipsAreRefused() throws {
        try expectRefused("planeRows: error: planeRows is 160, ") { $0.planeRows = 160 }
        try expectRefused("weightStreamsPerPlane is 80, a tile is read from 1, 2, 4, 8 or 16") {
            $0.weightStreamsPerPlane = 80
        }
        try expectRefused("planesPerHemisphere is 1, fp16 takes planes in pairs") {
            $0.planesPerHemisphere = 1
        }
        for slices in [4, 16, 28] {
            try expectRefused("memSlicesPerHemisphere is \(slices), weights for two planes") {
                $0.memSlicesPerHemisphere = slices
            }
        }
        try expectRefused("rowsPerBank is 4, ") { $0.rowsPerBank = 4 }
        try expectRefused("an offset reaches 16 of the 4096 rows") { $0.gatherOffsetBits = 4 }
        // 80 lanes: positions / 16 need 16 bits, which leaves a factor too few.
        try expectRefused(
            "context is 1000000, no int32 factor", PlanRequest(context: 1_000_000)
        ) { ($0.superlanes, $0.planeRows) = (5, 80) }
    }

    @Test func plansAreRefused() throws {
        try expectRefused("head_dim is 32, an even number up to 16 lanes") {
            ($0.superlanes, $0.planeRows) = (1, 16)
        }
        for users in [0, 4097, Int.max] {
            try expectRefused(
                "\(users) users are in flight, each with a row of every bank",
                PlanRequest(context: 64, users: users))
        }
        for number in [0, 2, Int.max] {
            try expectRefused(
                "\(number) chips a layer are asked for, 2 layers on the 1 chips of groqchip1",
                PlanRequest(context: 64, tensorParallel: number))
            try expectRefused(
                "plan.pipelineStages: error: \(number) stages are asked for",
                PlanRequest(context: 64, tensorParallel: 1, pipelineStages: number))
        }
        try expectRefused(
            "context is 1048577, angles are exact for 1048576", PlanRequest(context: 1_048_577))
    }

    /// A chip without a column would have weights of no vectors.
    @Test func chipsHaveColumns() throws {
        var model = model
        model.intermediateSize = 4
        let machine = try #require(Machine.preset(named: "node8"))
        let plans = try enumeratePlans(model, on: machine, PlanRequest(context: 64))
        #expect(plans.map(\.plan.tensorParallel).max() == 4)
        let error = #expect(throws: DiagnosticSet.self) {
            try enumeratePlans(model, on: machine, PlanRequest(context: 64, tensorParallel: 5))
        }
        let words = "5 chips share the 4 columns (intermediate_size) of a layer"
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    /// Every position, of vectors of which the division is exact.
    @Test(arguments: [48, 80, 160, 320, 416, 1008, 4095])
    func reciprocalsDivide(_ lanes: Int) throws {
        for limit in [1, 20_000, 1 << 20] {
            guard let reciprocal = Reciprocal(of: lanes, below: limit) else {
                #expect(lanes % 32 != 0 && limit == 1 << 20)
                continue
            }
            let isExact = (0..<Int32(limit)).allSatisfy { x in
                let (product, isTooLarge) = (x >> reciprocal.zeros).multipliedReportingOverflow(
                    by: reciprocal.factor)
                return !isTooLarge && product >> reciprocal.shift == x / Int32(lanes)
            }
            #expect(isExact, "\(lanes) lanes, \(limit) positions")
        }
        #expect(Reciprocal(of: 320, below: 1 << 20)?.factor == 52_429)
    }
}
