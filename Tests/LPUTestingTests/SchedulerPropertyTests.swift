import Foundation
import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUTesting
import LPUVerifier
import Testing

/// `true` where the long runs are asked for.
let isLong = ProcessInfo.processInfo.environment["LPUC_LONG"] == "1"

let groqchip = Machine.preset(named: "groqchip1")!

/// Random programs, scheduled, judged and run beside the interpreter.
@Suite struct SchedulerPropertyTests {
    /// The last three have products whose activations are the same in several iterations.
    static let seeds = isLong ? Array(UInt64(0)..<1_000) : Array(UInt64(0)..<64) + [338, 929, 959]

    @Test(arguments: seeds) func `a schedule is lawful and gives the interpreter's bytes`(
        seed: UInt64
    ) throws {
        let random = RandomProgram(seed: seed)
        try random.program.validate()
        for strategy in [Strategy.list, .random(seed: seed)] {
            let problems = try problems(random, strategy)
            #expect(problems.isEmpty, "seed \(seed), \(strategy)")
        }
    }

    /// The random strategy draws: two seeds put little in the same place at the same time.
    @Test func `two seeds of random share few placements`() throws {
        var shared = 0
        var total = 0
        for seed in UInt64(0)..<16 {
            let program = RandomProgram(seed: seed).program
            let pair = try [1, 2].map { draw in
                placements(
                    try LPUScheduler.schedule(
                        program, digest: program.digest, for: groqchip,
                        strategy: .random(seed: seed &+ 1_000 &* draw)))
            }
            total += max(pair[0].count, pair[1].count)
            shared += pair[0].intersection(pair[1]).count
        }
        print("two seeds of random share \(shared) of \(total) placements")
        #expect(5 * shared < total)
    }

    /// What rests where, and what starts when in which queue.
    private func placements(_ schedule: Schedule) -> Set<String> {
        let chip = schedule.templates[0].chips[0]
        let rows = chip.allocations.map {
            "\($0.value).\($0.plane)[\($0.first)] \($0.hemisphere)\($0.slice) \($0.base)"
        }
        return Set(rows + chip.bursts.map { "\($0.op?.index ?? -1) \($0.queue) \($0.start)" })
    }

    /// What is wrong with the program's schedule: broken laws, or bytes that differ.
    private func problems(_ random: RandomProgram, _ strategy: Strategy) throws -> [String] {
        let program = random.program
        let schedule: Schedule
        do {
            schedule = try LPUScheduler.schedule(
                program, digest: program.digest, for: groqchip, strategy: strategy)
        } catch {
            return ["\(error)"]
        }
        let verdict = Verifier().verify(machine: groqchip, schedule: schedule)
        let symbolic = symbolicRun(machine: groqchip, schedule: schedule, program: program)
        var problems = (verdict.violations + symbolic.violations).prefix(6).map(\.description)
        var pair = try SideBySide(
            schedule, of: program, on: groqchip, images: random.images(draw: 0))
        // A second step finds the regions as the first one left them.
        for draw in 0..<UInt64(2) {
            problems += try pair.differences(ingress: random.ingress(draw: draw)).prefix(6)
        }
        return problems
    }
}
