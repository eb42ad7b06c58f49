import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUTesting
import LPUVerifier
import Testing

/// Machines inside the ranges of the machine file: scheduler, verifier and simulator read the same
/// out of each of its numbers.
@Suite struct MachinePropertyTests {
    static let seeds = Array(UInt64(0)..<(isLong ? 3_000 : 128))

    /// Latencies from the least on, and some beyond the cycles that streams need to run empty.
    private static let draws: [(key: String, values: [String])] = [
        ("readLatency", ["1", "5", "40"]), ("gatherLatency", ["1", "7", "70"]),
        ("writeToRead", ["1", "5", "100", "300"]), ("vxmEntryLatency", ["0", "4", "70", "130"]),
        ("aluLatency", ["1", "3", "6"]), ("vxmExitLatency", ["0", "1", "5", "90"]),
        ("installLatency", ["3", "4", "9"]), ("loadBeforeInstall", ["0", "1", "2"]),
        ("installCadence", ["1", "4", "40"]), ("matmulCadence", ["1", "2", "3"]),
        ("tandemCadence", ["1", "2", "5"]), ("matmulToAccumulate", ["1", "30", "130"]),
        ("accumulateLatency", ["1", "2", "35"]), ("distributeLatency", ["1", "4", "80"]),
        ("transposeLatency", ["1", "9"]), ("permuteLatency", ["1", "9"]),
        ("shiftLatency", ["1", "9"]), ("rotateLatency", ["1", "9"]),
        ("selectLatency", ["1", "9"]), ("ingressLatency", ["1", "2", "90"]),
        ("receiveLatency", ["1", "2", "80"]), ("receiveDepth", ["1", "4"]),
        ("hostInterval", ["1", "7/2", "30"]), ("banksPerSlice", ["1", "2"]),
        ("memSlicesPerGroup", ["2", "4", "11", "44"]), ("repeatDepth", ["0", "1", "2"]),
        ("maxRepeatCount", ["2", "65535"]), ("maxRepeatDistance", ["1", "65535"]),
    ]

    private func machine(_ seed: UInt64) throws -> Machine {
        var random = SeededGenerator(seed: seed)
        let lines = Self.draws.map { key, values in
            "\(key) \(values.randomElement(using: &random)!) H \"drawn\"\n"
        }
        let (latency, interval) = (
            ["1", "90", "265"].randomElement(using: &random)!,
            ["1", "7/3", "60"].randomElement(using: &random)!
        )
        let axis = "axis node size 2 firstLink 0 lanes 1 latency \(latency) interval \(interval)"
        return try Machine(
            parsing: "machine drawn\nextends node8\n" + lines.joined() + axis + " H \"drawn\"\n",
            file: "drawn")
    }

    @Test(arguments: seeds) func `a schedule for any machine is lawful and gives its bytes`(
        seed: UInt64
    ) throws {
        let machine = try machine(seed)
        let random = RandomProgram(seed: seed, chips: 1 + Int(seed % 2), opCount: 3...9)
        let program = random.program
        let schedule: Schedule
        do throws(Infeasibility) {
            schedule = try LPUScheduler.schedule(
                program, digest: program.digest, for: machine, strategy: .list)
        } catch {
            // Of 3,000 machines four find no cycle for the many results of a transpose.
            #expect(isLong && error.id == "schedule-window", "\(error)")
            return
        }
        let verdict = Verifier().verify(machine: machine, schedule: schedule, program: program)
        #expect(verdict.violations.prefix(6).map(\.description) == [], "\(machine.text)")
        var pair = try SideBySide(
            schedule, of: program, on: machine, images: random.images(draw: 0))
        #expect(try pair.differences(ingress: random.ingress(draw: 0)).prefix(6) == [])
    }
}
