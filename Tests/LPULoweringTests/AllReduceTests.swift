import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering
@testable import LPUScheduler

/// All-reduces by themselves: lawful, and every chip ends with the sum of all.
@Suite struct AllReduceTests {
    struct Case: Sendable, CustomStringConvertible {
        var machine: String
        var chips: Int
        var vectors = 1
        var description: String { "\(vectors) vectors on \(chips) chips of \(machine)" }
    }

    private func machine(_ c: Case) throws -> Machine {
        try #require(Machine.preset(named: c.machine)?.resized(chips: c.chips))
    }

    @Test(arguments: [
        Case(machine: "node8", chips: 8, vectors: 3), Case(machine: "lpx256", chips: 48),
        Case(machine: "dragonfly256", chips: 40, vectors: 2),
        Case(machine: "dragonfly256", chips: 256),
    ])
    func everyChipHasTheSum(_ c: Case) throws {
        let machine = try machine(c)
        let program = try lowerAllReduce(vectors: c.vectors, on: machine)
        try program.validate()
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let verdict = Verifier(threads: 2).verify(
            machine: machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(c): \(verdict.violations.prefix(3))")

        let image = try MemoryImage(program, schedule, on: machine, weights: NoWeights())
        let simulator = try Simulator(machine: machine, schedule: schedule, image: image)
        _ = try simulator.step(ingress: [:])
        let sum = FP16.encode(Float(c.chips * (c.chips + 1) / 2))
        let ops = program.templates[0].ops
        let used = Set(ops.flatMap { $0.operands.map(\.value) })
        var results = 0
        for (chip, step) in schedule.templates[0].chips.enumerated() {
            for allocation in step.allocations where !used.contains(allocation.value) {
                let row = simulator.row(
                    Int(allocation.base.row), bank: Int(allocation.base.bank),
                    slice: Int(allocation.slice),
                    allocation.hemisphere, of: ChipID(chip))
                let byte = UInt8(truncatingIfNeeded: sum >> (8 * allocation.plane))
                #expect(row?.allSatisfy { $0 == byte } == true, "\(c), chip\(chip)")
                results += 1
            }
        }
        // In two bytes on each chip.
        #expect(results == 2 * c.chips * c.vectors)
    }

    private struct NoWeights: WeightSource {
        func shape(of tensor: String) -> [Int]? { nil }
        func readRow(_ index: Int, of tensor: String, into row: inout [Float]) {}
    }

    @Test func whatIsNotWiredIsADiagnostic() throws {
        for (name, words) in [("groqchip1", "one chip"), ("quadfour576", "is a line")] {
            let machine = try #require(Machine.preset(named: name))
            let error = #expect(throws: DiagnosticSet.self) {
                try lowerAllReduce(vectors: 1, on: machine)
            }
            #expect(error?.description.contains(words) == true)
        }
    }
}
