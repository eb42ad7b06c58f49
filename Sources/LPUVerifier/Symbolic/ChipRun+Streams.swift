import LPUMachine
import LPUSchedule
import LPUSupport

/// What is on the streams now, and what will be.
extension ChipRun {
    @inline(__always)
    func slot(_ stream: Stream, _ register: Int, _ t: Int) -> Int {
        let direction = stream.direction
        return ((t - direction.sign * register) & ringMask) * width
            + Int(direction.rawValue) * chip.streamsPerDirection + stream.id
    }

    /// What a consumer other than the VXM sees at `register` in cycle `t`, which is now.
    @inline(__always)
    func sample(_ stream: Stream, _ register: Int, _ t: Int) -> Term {
        stream.id < chip.streamsPerDirection ? ring[slot(stream, register, t)] : .none
    }

    /// A value that appears at `register` in cycle `t`, later than now.
    @inline(__always)
    func produce(_ term: Term, _ stream: Stream, _ register: Int, at t: Int) {
        guard stream.id < chip.streamsPerDirection else { return }
        productions.push(slot(stream, register, t), term, at: t)
    }

    /// `count` aligned streams from `stream` on; nil, and reported, if one holds nothing.
    func sample(
        _ stream: Stream, count: Int, _ queue: Int, _ t: Int, _ what: @autoclosure () -> String
    ) -> [Term]? {
        let register = places[queue].register
        let terms = (0..<count).map { k in
            stream.id + k < chip.streamsPerDirection
                ? sample(stream.advanced(by: k), register, t) : .none
        }
        if let empty = terms.firstIndex(of: .none) {
            reportNothing(queue, t, stream.id + empty, stream.direction, what())
            return nil
        }
        return terms
    }

    /// One stream; `reported` if it holds nothing.
    @inline(__always)
    func sampleOne(
        _ stream: Stream, _ queue: Int, _ t: Int, _ what: @autoclosure () -> String
    ) -> Term {
        let term = sample(stream, places[queue].register, t)
        if term != .none { return term }
        reportNothing(queue, t, stream.id, stream.direction, what())
        return .reported
    }

    // Out of line: not to be looked at where nothing is wrong.
    @inline(never)
    private func reportNothing(
        _ queue: Int, _ t: Int, _ stream: Int, _ direction: Direction, _ what: String
    ) {
        report(
            .operandTiming, queue, t,
            "\(what) needs a vector on s\(stream)\(direction == .west ? "w" : "e") "
                + "at register \(places[queue].register), finds nothing")
    }
}
