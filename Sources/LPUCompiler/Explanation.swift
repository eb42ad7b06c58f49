import LPUDataflow
import LPUSchedule
public import LPUSupport

/// Why an op starts when it does: when its operands were made, and by which ops in turn.
public struct Explanation: Sendable {
    /// An op in a schedule.
    public struct Timing: Sendable {
        public var op: OpID
        /// The op as its template counts it, after the instance: `i1.op41`.
        public var place: String
        /// Of its result, after the instance of the program such as `i1`.
        public var name: String
        /// Such as `matmul`.
        public var kind: String
        /// First to last issue, on all chips; nil if no instruction says it belongs to the op.
        public var issues: ClosedRange<Int>?
    }

    /// What an op takes from another.
    public struct Operand: Sendable {
        public var maker: Timing
        /// Cycles from the maker's last issue to the op's first one; below 0 where vectors are
        /// taken while others are still being made, or weights are loaded ahead. nil where the op
        /// has no instruction: it is a name for bytes of its operands.
        public var slack: Int?
    }

    public var timing: Timing
    /// By slack, the tightest first: the first one binds.
    public var operands: [Operand]
    /// The binding operand of the op, that one's binding operand, and so on.
    public var chain: [Operand]
}

/// Explains the ops of one compilation.
public struct Explainer {
    private let numbering: Numbering
    private let timings: [Explanation.Timing]
    /// For every op those that make its operands, ascending, each once; a pack or byte, which has
    /// no instruction, stands for its own operands' makers.
    private let makers: [[Int]]

    /// - Requires: the program is legal.
    /// - Complexity: O(program + bursts).
    public init(_ compilation: Compilation) {
        let program = compilation.program
        let numbering = Numbering(program)
        let spans = compilation.schedule.opSpans(count: numbering.opCount)
        var maker = [Int?](repeating: nil, count: numbering.valueCount)
        var timings: [Explanation.Timing] = []
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for (o, op) in template.ops.enumerated() {
                maker[numbering.value(op.result, of: i).index] = timings.count
                timings.append(
                    Explanation.Timing(
                        op: OpID(timings.count), place: "i\(i).\(OpID(o))",
                        name: "i\(i).\(template.values[op.result.index].name)",
                        kind: op.kind.name, issues: spans[timings.count]))
            }
        }
        var makers: [[Int]] = []
        for (i, instance) in program.instances.enumerated() {
            for op in program.templates[instance.template].ops {
                var found: [Int] = []
                op.kind.forEachUse(count: op.count) { use, _ in
                    let value = numbering.value(use.value, of: i)
                    guard let op = maker[value.index] else { return }
                    found += timings[op].issues == nil ? makers[op] : [op]
                }
                found.sort()
                makers.append(
                    found.indices.filter { $0 == 0 || found[$0] != found[$0 - 1] }
                        .map { found[$0] })
            }
        }
        self.numbering = numbering
        self.timings = timings
        self.makers = makers
    }

    /// The op of the program that is so called: `op42`, or `i1.op41` as instance 1 counts its own.
    /// - Throws: `explain-op` where there is none.
    public func op(named name: String) throws(DiagnosticSet) -> OpID {
        guard let op = find(name) else { throw refusal(name) }
        return op
    }

    private func find(_ name: String) -> OpID? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let own = parts.last.flatMap({ OpID(String($0)) }) else { return nil }
        if parts.count == 1 { return own.index < opCount ? own : nil }
        guard parts.count == 2, parts[0].first == "i", let instance = Int(parts[0].dropFirst()),
            (0..<numbering.opBases.count - 1).contains(instance),
            own.index < numbering.opBases[instance + 1] - numbering.opBases[instance]
        else { return nil }
        return numbering.op(own, of: instance)
    }

    /// Ops of the program, over all its instances.
    public var opCount: Int { timings.count }

    /// - Throws: `explain-op` where the program has no such op.
    public func explain(_ op: OpID) throws(DiagnosticSet) -> Explanation {
        guard timings.indices.contains(op.index) else { throw refusal(op.description) }
        var chain: [Explanation.Operand] = []
        var next = operands(of: op.index).first
        while let operand = next {
            chain.append(operand)
            next = operands(of: operand.maker.op.index).first
        }
        return Explanation(
            timing: timings[op.index], operands: operands(of: op.index), chain: chain)
    }

    private func refusal(_ name: String) -> DiagnosticSet {
        DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place(name), id: "explain-op",
                "the program has the ops op0 to op\(opCount - 1), and those of an instance as in "
                    + "i1.op41"))
    }

    private func operands(of op: Int) -> [Explanation.Operand] {
        let start = timings[op].issues?.lowerBound
        let operands = makers[op].compactMap { maker in
            timings[maker].issues.map { issues in
                Explanation.Operand(
                    maker: timings[maker], slack: start.map { $0 - issues.upperBound })
            }
        }
        return operands.sorted { ($0.slack ?? 0, $0.maker.op) < ($1.slack ?? 0, $1.maker.op) }
    }
}

extension Schedule {
    /// First to last issue of every op below `count`, on all chips.
    fileprivate func opSpans(count: Int) -> [ClosedRange<Int>?] {
        var spans = [ClosedRange<Int>?](repeating: nil, count: count)
        for placement in placements {
            let start = placement.start.index
            for burst in templates[placement.template].chips.flatMap(\.bursts) {
                guard let op = burst.op.map({ $0.index + placement.opBase }), op < count else {
                    continue
                }
                let first = start + burst.start.index
                let last = start + burst.lastIssue.index
                let span = spans[op] ?? first...last
                spans[op] = min(span.lowerBound, first)...max(span.upperBound, last)
            }
        }
        return spans
    }
}
