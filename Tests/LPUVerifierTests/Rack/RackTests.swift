import Foundation
import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

@Suite(.serialized) struct RackTests {
    @Test func `a small load is lawful`() throws {
        let load = RackLoad(places: 3, stages: 2, layersPerStage: 2, sums: 2, products: 3)
        let (program, schedule) = load.made()
        try program.validate()
        let verdict = Verifier(exhaustive: true, threads: 2).verify(
            machine: load.machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(verdict.violations.prefix(5))")
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["LPUC_RACK"] != nil))
    func rack() throws {
        let scale = Int(ProcessInfo.processInfo.environment["LPUC_RACK"] ?? "") ?? 16
        let load = RackLoad(stages: scale)
        let clock = ContinuousClock()
        var made: (program: Program, schedule: Schedule)!
        print("made in", clock.measure { made = load.made() })
        print(made.schedule.claims)
        let mode = ProcessInfo.processInfo.environment["LPUC_MODE"] ?? "all"
        for exhaustive in [false, true] where mode == "all" || (mode == "exhaustive") == exhaustive {
            for threads in [2, 1] where exhaustive == false || threads == 2 || mode != "all" {
                var verdict: Verdict!
                let time = clock.measure {
                    verdict = Verifier(exhaustive: exhaustive, threads: threads).verify(
                        machine: load.machine, schedule: made.schedule, program: made.program)
                }
                print(exhaustive ? "exhaustive" : "default", threads, "threads:", time)
                #expect(verdict.isAccepted, "\(verdict.violations.prefix(5))")
            }
        }
    }
}
