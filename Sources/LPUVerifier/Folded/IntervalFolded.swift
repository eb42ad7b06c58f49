import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 15: steps begin an interval apart, each of another user than those still under way, and
/// every law holds between them.
///
/// Each placement has its chips to itself: on every chip the times from its first issue, or the
/// first arrival at a link, to when all that it makes is there, and on to the next placement where
/// a stream may reach that, are apart from those of all other steps. So what two steps do on one
/// chip never meets, and one finds streams, ALUs and FIFOs as if it were alone. What stays is
/// looked at by itself: planes, rows, and how close sends follow.
struct IntervalFolded {
    let machine: Machine
    let schedule: Schedule
    let interval: Int

    /// What one placement does on one chip.
    private struct Part {
        var placement: Int
        var place: Int
        var span: Range<Int>
    }

    /// - Parameter users: Steps of so many users take turns; nil where no program says so.
    static func judge(
        _ machine: Machine, _ schedule: Schedule, _ index: PlacementIndex, users: Int?,
        exhaustive: Bool, _ report: inout LawReport
    ) {
        guard let interval = schedule.interval?.count else { return }
        guard (1...PlacementIndex.horizon).contains(interval) else {
            return report.add("interval \(interval) is outside 1...\(PlacementIndex.horizon)")
        }
        let law = IntervalFolded(machine: machine, schedule: schedule, interval: interval)
        report.count(
            chips: machine.chipCount, bursts: schedule.claims.burstCount,
            issues: schedule.claims.issueCount)
        let length = schedule.claims.length.count
        if let users, users * interval < length {
            report.add(
                "a user's steps are \(users) intervals of \(interval) apart, less than the length "
                    + "\(length)")
        }
        // Of what is never placed no law says that it exists.
        let placed = Set(schedule.placements.map(\.template))
        let extents = schedule.templates.enumerated().map { t, template in
            placed.contains(t) ? template.chips.map { ChipExtent($0, machine.chip) } : []
        }
        law.judgeIsolation(extents, &report)
        let parts = law.parts(extents, &report)
        for chip in parts.indices {
            law.judgeSpans(ChipID(chip), parts[chip], &report)
            law.judgeLinks(ChipID(chip), parts[chip], extents, &report)
        }
        let representatives = exhaustive ? nil : index.representatives(schedule)
        for chip in parts.indices where representatives.map({ $0[chip].chip == chip }) ?? true {
            law.judgeRows(ChipID(chip), index.uses[chip], extents, &report)
        }
    }

    // MARK: Spans

    /// By chip.
    private func parts(
        _ extents: [[ChipExtent]], _ report: inout LawReport
    ) -> [[Part]] {
        var parts: [[Part]] = Array(repeating: [], count: machine.chipCount)
        for (number, placement) in schedule.placements.enumerated() {
            let start = placement.start.index
            for (place, chip) in placement.chips.enumerated() {
                let extent = extents[placement.template][place]
                guard var span = extent.span else { continue }
                for (link, receives) in extent.receives.sorted(by: { $0.key < $1.key }) {
                    let sends = self.sends(
                        to: LinkEnd(chip, link), placement, extents[placement.template])
                    guard let sends, sends.count == receives.count else {
                        report.add(
                            chip: chip, unit: .link(link), cycle: start + receives.first,
                            "'\(name(number))' receives what another placement sends")
                        continue
                    }
                    span = min(span.lowerBound, sends.first)..<span.upperBound
                }
                parts[chip.index].append(
                    Part(
                        placement: number, place: place,
                        span: start + span.lowerBound..<start + span.upperBound))
            }
        }
        return parts
    }

    /// What the placement sends to one end of a link; `first` is when that arrives.
    private func sends(
        to end: LinkEnd, _ placement: Placement, _ extents: [ChipExtent]
    ) -> ChipExtent.Traffic? {
        guard let peer = machine.topology.peer(of: end),
            let axis = machine.topology.axis(of: end.link),
            let place = placement.chips.firstIndex(of: peer.chip),
            var traffic = extents[place].sends[peer.link]
        else { return nil }
        traffic.first += axis.latency
        return traffic
    }

    private func judgeSpans(_ id: ChipID, _ parts: [Part], _ report: inout LawReport) {
        // What one makes another one may sample so much later: nobody comes between them.
        let chip = machine.chip
        let reach = max(2 * chip.edge + chip.vxmEntryLatency, chip.aluLatency)
        var merged: [Part] = []
        for part in parts.sorted(by: {
            ($0.span.lowerBound, $0.placement) < ($1.span.lowerBound, $1.placement)
        }) {
            if let last = merged.last, part.span.lowerBound <= last.span.upperBound + reach {
                let end = max(last.span.upperBound, part.span.upperBound)
                merged[merged.count - 1].span = last.span.lowerBound..<end
            } else {
                merged.append(part)
            }
        }
        guard let (a, b) = clash(merged.map(\.span), modulo: interval) else { return }
        let (first, second) = (merged[a], merged[b])
        report.add(
            chip: id, cycle: second.span.lowerBound,
            "'\(name(second.placement))' meets '\(name(first.placement))' of another step: they "
                + "take cycles \(residues(second.span)) and \(residues(first.span)) modulo "
                + "\(interval)")
    }

    func residues(_ span: Range<Int>) -> String {
        let start = modulo(span.lowerBound, interval)
        return "\(start)..<\(start + span.count)"
    }

    func name(_ placement: Int) -> String {
        schedule.templates[schedule.placements[placement].template].name
    }

    // MARK: Links

    /// Sends of two steps are as far apart as the last send of one needs to be from any vectors of
    /// the other; vectors at the host port likewise.
    private func judgeLinks(
        _ chip: ChipID, _ parts: [Part], _ extents: [[ChipExtent]], _ report: inout LawReport
    ) {
        var ports: [ChipExtent.Outlet: [Range<Int>]] = [:]
        for part in parts {
            let placement = schedule.placements[part.placement]
            for (outlet, traffic) in extents[placement.template][part.place].outlets {
                let start = placement.start.index
                ports[outlet, default: []].append(start + traffic.first..<start + traffic.last + 1)
            }
        }
        for (outlet, spans) in ports.sorted(by: { $0.key < $1.key }) {
            guard let least = outlet.interval(on: machine) else { continue }
            let (whole, count) = (least.numerator, least.denominator)
            // What one placement's vectors keep the next one's away beyond their last cycle.
            let margin = whole - (count - 1) * (whole / count) - 1
            let kept = spans.sorted { $0.lowerBound < $1.lowerBound }
            guard let (a, b) = clash(kept, modulo: interval, margin: margin) else { continue }
            report.add(
                chip: chip, unit: outlet.unit, cycle: kept[b].lowerBound,
                "vectors of two steps are less than \(margin + 1) cycles apart: they take cycles "
                    + "\(residues(kept[b])) and \(residues(kept[a])) modulo \(interval)")
        }
    }

    private func judgeIsolation(_ extents: [[ChipExtent]], _ report: inout LawReport) {
        for (t, places) in extents.enumerated() {
            for (place, extent) in places.enumerated() {
                guard let problem = extent.problem,
                    let placement = schedule.placements.first(where: { $0.template == t })
                else { continue }
                report.add(
                    chip: placement.chips[place], unit: problem.unit,
                    cycle: placement.start.index + problem.cycle, problem.message)
            }
        }
    }
}

func modulo(_ cycle: Int, _ interval: Int) -> Int {
    let rest = cycle % interval
    return rest < 0 ? rest + interval : rest
}

/// Two of the spans, in the order of their cycles modulo the interval, of which the first ends
/// after the second begins when each is repeated every interval; nil if there are none. Spans
/// of one repetition that follow one another need no `margin`.
func clash(
    _ spans: [Range<Int>], modulo interval: Int, margin: Int = 0
) -> (Int, Int)? {
    let order = spans.indices.filter { !spans[$0].isEmpty }.sorted {
        (modulo(spans[$0].lowerBound, interval), $0) < (modulo(spans[$1].lowerBound, interval), $1)
    }
    for (k, a) in order.enumerated() {
        let b = order[(k + 1) % order.count]
        let (x, y) = (spans[a], spans[b])
        var distance = modulo(y.lowerBound, interval) - modulo(x.lowerBound, interval)
        if k + 1 == order.count { distance += interval }
        let isOneStep = y.lowerBound - x.lowerBound == distance && a != b
        if x.count + (isOneStep ? 0 : margin) > distance { return (a, b) }
    }
    return nil
}
