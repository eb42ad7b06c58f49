public import LPUDataflow
public import LPUMachine
public import LPUModel
public import LPUSchedule
import LPUSupport

extension Verifier {
    /// Judges laws 1-16: that the program computes `graph` at every token position
    /// below `context`.
    /// - Requires: the machine has no problems of its own, the program is legal, `context` is
    ///   positive.
    /// - Complexity: that of `verify(machine:schedule:program:)`, and for law 16 O(lanes of all
    ///   vectors of one layer and of the head), however large the matrices.
    public func verify(
        machine: Machine, schedule: Schedule, program: Program, graph: ModelGraph, context: Int
    ) -> Verdict {
        // Neither needs the other: law 16 looks at no schedule.
        let (others, refinement): ([LawReport], LawReport) = concurrently(threads: threads) {
            reports(machine, schedule, program)
        } _: {
            self.refinement(program, graph, context: context)
        }
        var verdict = Verdict(schedule: schedule, reports: others + [refinement])
        verdict.certificate?.coverage = Certificate.GraphCoverage(graph, program, context)
        return verdict
    }

    /// Judges law 16 alone: that the program computes the graph; see `Documentation/Laws.md`.
    /// - Requires: the program is legal, `context` positive.
    public func refinement(_ program: Program, _ graph: ModelGraph, context: Int) -> [Violation] {
        refinement(program, graph, context: context).violations
    }

    private func violations(
        _ program: Program, _ graph: ModelGraph, context: Int
    ) -> [Violation] {
        guard program.lanes >= 4 else {
            return [
                Violation(
                    .refinement,
                    "the program has \(program.lanes) lanes, and a token four bytes: give it 4 "
                        + "lanes at least")
            ]
        }
        guard graph.configuration.isEncoder else {
            return Refinement(program, graph, context: context).violations()
        }
        var refinement = EncoderRefinement(program, graph, context: context, threads: threads)
        return refinement.violations()
    }

    private func refinement(
        _ program: Program, _ graph: ModelGraph, context: Int
    ) -> LawReport {
        var report = LawReport(.refinement, limit: violationsPerLaw)
        let chips = Set(program.instances.flatMap(\.chips)).count
        report.count(chips: chips, bursts: 0, issues: 0)
        for violation in violations(program, graph, context: context) { report.add(violation) }
        return report
    }
}

extension Certificate.GraphCoverage {
    init(_ graph: ModelGraph, _ program: Program, _ context: Int) {
        self.init(
            operations: graph.instances.reduce(0) { $0 + $1.block.nodes.count },
            elements: graph.instances.reduce(0) { sum, instance in
                instance.block.nodes.reduce(sum) {
                    $0 + instance.block[$1.output].elementCount(context: context)
                }
            }, ops: Numbering(program).opCount, positions: context)
    }
}
