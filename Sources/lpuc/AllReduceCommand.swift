import ArgumentParser
import LPUCompiler
import LPULowering
import LPUMachine
import LPUSchedule
import LPUSupport
import LPUVerifier

struct AllReduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all-reduce",
        abstract: "Schedule one all-reduce over all chips of a machine, hop by hop, and verify it.",
        discussion: """
            Every chip begins with fp16 vectors in SRAM and ends with the sum of all chips' there. \
            Prints the cycles and the time.
            """)

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @Option(help: "fp16 vectors on each chip.")
    var vectors = 1

    @Option(help: "As if the machine had so many chips, its last axis shorter or longer.")
    var chips: Int?

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if !(1...1024).contains(vectors) {
            throw ValidationError("--vectors is \(vectors), it may be 1 to 1024")
        }
    }

    func run() throws {
        let machine = try lpuc.machine(named: self.machine, chips: chips)
        let program = try lowerAllReduce(vectors: vectors, on: machine)
        let schedule = try Compiler(machine: machine).schedule(program)
        let verdict = Verifier(threads: threads.threads).verify(
            machine: machine, schedule: schedule, program: program)
        guard verdict.isAccepted else {
            Console.complain(verdict.description)
            throw ExitCode(1)
        }
        let chip = machine.chip
        let cycles = schedule.claims.length.count
        let nanoseconds = (cycles * 1000 + chip.clockMegahertz / 2) / chip.clockMegahertz
        let bytes = vectors * 2 * chip.lanes
        Console.print(
            """
            all-reduce of \(bytes) bytes a chip over \(machine.chipCount) chips of \
            \(machine.name): \(cycles) cycles, \(nanoseconds) ns, accepted

            """)
    }
}
