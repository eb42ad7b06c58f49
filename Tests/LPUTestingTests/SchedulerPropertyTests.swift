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
    static let seeds = Array(UInt64(0)..<(isLong ? 1_000 : 64))

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
