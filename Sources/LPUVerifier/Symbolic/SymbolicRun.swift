public import LPUDataflow
public import LPUMachine
import LPUNumerics
public import LPUSchedule
import LPUSupport

/// What the symbolic run of a schedule found.
public struct SymbolicResult: Sendable {
    /// Of `operand-timing`, `provenance` and `coverage`, sorted; empty iff those laws hold.
    public var violations: [Violation]
    /// Issues that were run, on all chips.
    public var issueCount: Int
    /// Iterations of ops that were done in full, on their chips.
    public var iterationCount: Int
}

/// Runs the schedule issue by issue on every chip, with terms of the program in the place of
/// bytes, and judges laws 6, 12 and 13: see Documentation/Provenance.md.
///
/// Chips run side by side in windows no longer than the shortest link; the result is the same in
/// any number of threads. Bursts that other laws refuse (no such queue, row slot or template) are
/// not run; the vectors they should have made are then missing.
///
/// - Requires: `program` is legal and `machine` valid.
/// - Complexity: O(issues + chips * cycles in use + rows of installed tiles and windows).
public func symbolicRun(
    machine: Machine, schedule: Schedule, program: Program, threads: Int = 1
) -> SymbolicResult {
    symbolicRun(
        machine: machine, schedule: schedule, SymbolicProgram(program), threads: threads,
        isLawful: false, isShared: false)
}

/// The same, which takes less time if `isLawful`: all laws hold that need no program; if
/// `isShared` too, a template is run once where that is proved to be enough.
func symbolicRun(
    machine: Machine, schedule: Schedule, _ flat: SymbolicProgram, threads: Int, isLawful: Bool,
    isShared: Bool
) -> SymbolicResult {
    guard flat.families.count < Term.maximumRoots,
        !flat.counts.contains(where: {
            Int($0) >= Term.maximumVectors
        })
    else {
        let message =
            "a symbolic run takes at most \(Term.maximumRoots) values of "
            + "\(Term.maximumVectors) vectors; the program has more"
        return SymbolicResult(
            violations: [Violation(.provenance, message)], issueCount: 0, iterationCount: 0)
    }
    if isLawful && isShared {
        var shared = SharedRun(machine, schedule, flat, threads: threads)
        if let result = shared.result() { return result }
    }
    var run = SymbolicRun(machine, schedule, flat, isLawful: isLawful, threads: threads)
    run.run()
    return run.result()
}

/// All chips in windows of the shortest link's latency: what a chip receives in a window was sent
/// before it.
struct SymbolicRun {
    private let machine: Machine
    private let expansion: BurstExpansion
    private let program: SymbolicProgram
    private let coverage: Coverage
    private let threads: Int
    private var inboxes: [[[Arrival]]]
    /// Of chips that are done.
    private var memories: [ChipMemory] = []
    private var violations: [Violation] = []
    /// What chips that are done leave to the next step and must not.
    private var leftovers: [Violation] = []
    private var issueCount = 0

    init(
        _ machine: Machine, _ schedule: Schedule, _ program: SymbolicProgram, isLawful: Bool,
        threads: Int
    ) {
        self.machine = machine
        self.program = program
        self.threads = threads
        coverage = Coverage(program)
        expansion = BurstExpansion(
            machine, schedule, program, isLawful: isLawful, threads: threads)
        inboxes = Array(
            repeating: Array(repeating: [], count: machine.chip.linkCount),
            count: machine.chipCount)
    }

    mutating func run() {
        let window = max(1, machine.topology.axes.map(\.latency).min() ?? Int(Int32.max))
        var waiting = expansion.chipsByStart
        waiting.reverse()
        var active: [ChipRun] = []
        var start = 0
        let crew = Crew(threads: threads)
        defer { crew.dismiss() }
        while let next = active.isEmpty ? waiting.last?.start : start {
            start = max(start, next)
            let end = start + window
            var starting: [ChipID] = []
            while let chip = waiting.last, chip.start < end {
                waiting.removeLast()
                starting.append(chip.chip)
            }
            let memories = starting.map { _ in self.memories.popLast() }
            active += crew.map(count: starting.count) {
                [starting, expansion, coverage] in
                expansion.chipRun(starting[$0], memories[$0], coverage)
            }
            active.sort { $0.id < $1.id }
            let (chips, inboxes) = (active, self.inboxes)
            crew.forEach(count: chips.count) { i in
                chips[i].run(until: end, inbox: inboxes[chips[i].id.index])
                if chips[i].isFinished { chips[i].settleAllWrites() }
            }
            for chip in active { deliver(chip) }
            for chip in active where chip.isFinished { finish(chip) }
            active.removeAll(where: \.isFinished)
            start = end
        }
    }

    /// What a chip sent in this window is in its peers' inboxes from the next one on.
    private mutating func deliver(_ chip: ChipRun) {
        for (link, arrival) in chip.sent {
            let end = LinkEnd(chip.id, LinkID(link))
            guard let peer = machine.topology.peer(of: end),
                let axis = machine.topology.axis(of: end.link)
            else { continue }
            inboxes[peer.chip.index][peer.link.index].append(
                Arrival(cycle: arrival.cycle + axis.latency, term: arrival.term))
        }
        chip.sent.removeAll(keepingCapacity: true)
    }

    private mutating func finish(_ chip: ChipRun) {
        issueCount += chip.issueCount
        leftovers += expansion.leftovers(on: chip.id, chip.memory)
        memories.append(chip.memory)
        violations += chip.violations
        if chip.droppedViolations > 0 {
            violations.append(
                Violation(
                    .provenance, chip: chip.id,
                    "\(chip.droppedViolations) further violations on this chip"))
        }
    }

    func result() -> SymbolicResult {
        let found = violations + coverage.violations()
        // A scatter that is wrong or missing is reported as that.
        return SymbolicResult(
            violations: (found.isEmpty ? leftovers : found).sorted(), issueCount: issueCount,
            iterationCount: coverage.doneCount())
    }
}
