import LPUSupport

extension Machine {
    /// The keys of a chip whose values are not another machine's.
    public func keys(unlike other: Machine) -> [String] {
        MachineKey.all.filter { $0.text(of: chip) != $0.text(of: other.chip) }.map(\.name)
    }

    /// What `lpuc machines <name>` prints: every number with grade and reason, the queues, what
    /// follows from the numbers, and where the wiring differs from the published reach.
    public func summary() -> [String] {
        var lines = ["machine \(name): \(chipCount) chip\(chipCount == 1 ? "" : "s")"]
        lines += ["", "numbers"] + table(numbers)
        lines += ["", "queues of a chip"] + table(queues)
        lines += ["", "derived"] + table(derived)
        if !topology.axes.isEmpty { lines += ["", "links"] + table(wires) }
        if !reaches.isEmpty { lines += ["", "reach"] + table(reachRows) }
        return lines
    }

    /// Rows as lines, all columns but the last padded to one width.
    private func table(_ rows: [[String]]) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { c in
            rows.map { c < $0.count - 1 ? $0[c].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { c, cell in
                cell + String(repeating: " ", count: max(0, widths[c] - cell.count))
            }
            return "  " + cells.joined(separator: "  ")
        }
    }

    private var numbers: [[String]] {
        MachineKey.all.map { key in
            let source = source(of: key.name)
            let value = key.text(of: chip) + (key.unit.isEmpty ? "" : " " + key.unit)
            return [key.name, value, source.grade.rawValue, source.reason]
        }
    }

    private var queues: [[String]] {
        let sums = [
            ("MEM slices", 2 * chip.memSlicesPerHemisphere, "one a slice"),
            ("VXM ALUs", chip.aluCount, "one an ALU"),
            ("MXM planes", 6 * chip.planesPerHemisphere, "load; install and matmul; accumulate"),
            ("SXM distributors", 2 * chip.distributors, "both sides"),
            ("SXM transposers", 2 * chip.transposers, "both sides"),
            ("SXM permutors", 2 * chip.permutors, "both sides"),
            ("SXM shifters", 2 * chip.shifters, "both sides"),
            ("C2C links", chip.linkCount, "send or receive"),
            ("host port", 1, "ingress or egress"),
        ]
        return sums.map { [$0.0, String($0.1), $0.2] }
            + [["sum", String(sums.reduce(0) { $0 + $1.1 }), ""]]
    }

    private var derived: [[String]] {
        let bytesPerCycle = 2 * chip.streamsPerDirection * chip.lanes
        let ports = 2 * chip.memSlicesPerHemisphere * 2 * chip.lanes
        let macs = 2 * chip.planesPerHemisphere * chip.planeRows * chip.lanes
        return [
            [
                "SRAM",
                "\(chip.sramBytes) B a chip, \(formatted(bytes: chip.sramBytes * chipCount))",
            ],
            ["streams", perSecond(bytesPerCycle, "TB/s") + " a chip: what reaches the MXM"],
            ["SRAM ports", perSecond(ports, "TB/s") + " a chip, reads and writes"],
            ["byte types", perSecond(2 * macs, "PFLOPS", digits: 15) + " a chip"],
            ["published path", "\(chip.publishedPath) cycles, MEM to VXM through the MXM"],
            ["VXM to VXM", "\(chip.vxmRoundTrip) cycles, through the MXM"],
        ]
    }

    /// `perCycle` times the clock, in units of 10^`digits`, with two decimals.
    private func perSecond(_ perCycle: Int, _ unit: String, digits: Int = 12) -> String {
        var hundredths = perCycle * chip.clockMegahertz
        for _ in 0..<(digits - 6 - 2) { hundredths = (hundredths + 5) / 10 }
        return "\(hundredths / 100).\(twoDigits(hundredths % 100)) \(unit)"
    }

    private func twoDigits(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }

    private var wires: [[String]] {
        topology.axes.map { axis in
            let source = source(of: axis.key)
            return [
                axis.key, axis.words,
                "links \(axis.links.lowerBound)...\(axis.links.upperBound - 1)",
                "\(axis.lanes) lane\(axis.lanes == 1 ? "" : "s")",
                "latency \(axis.latency), hop \(hop(over: axis))", "interval \(axis.interval)",
                source.grade.rawValue, source.reason,
            ]
        }
    }

    private var reachRows: [[String]] {
        reaches.map { reach in
            let source = source(of: reach.key)
            let published = "published \(microseconds(reach.nanoseconds * 1000)) us"
            guard let cycles = cyclesToReach(chips: reach.chips) else {
                return ["\(reach.chips) chips", "not reached", published]
            }
            // One cycle is 10^6 / MHz picoseconds.
            let time = cycles * 1_000_000 / chip.clockMegahertz
            let isEqual = time / 1000 == reach.nanoseconds
            return [
                "\(reach.chips) chips", "\(cycles) cycles", "\(microseconds(time)) us", published,
                isEqual ? "agrees" : "differs", source.grade.rawValue, source.reason,
            ]
        }
    }

    private func microseconds(_ picoseconds: Int) -> String {
        let hundredths = (picoseconds + 5000) / 10_000
        return "\(hundredths / 100).\(twoDigits(hundredths % 100))"
    }
}

// MARK: Paths

extension Chip {
    /// From the read of an outermost slice through the MXM to the arrival at the VXM: read, hop to
    /// the edge, matmul, hops to register 0.
    public var publishedPath: Int {
        readLatency + (edge - memGroupsPerHemisphere) + matmulLatency + edge
    }

    /// From register 0 to the MXM of a side and back.
    public var vxmRoundTrip: Int { edge + matmulLatency + edge }
}

extension Machine {
    /// From the issue of a read on one chip to the first cycle in which the row, sent over a link
    /// of `axis` and written, may be read on the other: outermost group to outermost group.
    public func hop(over axis: Axis) -> Int {
        let travel = chip.edge - chip.memGroupsPerHemisphere
        return chip.readLatency + travel + axis.latency + chip.receiveLatency + travel
            + chip.writeToRead
    }

    /// The cycles after which `chips` chips, the sender among them, can hold a row of one chip,
    /// going from SRAM to SRAM; nil if there are fewer, or no links lead to so many.
    /// - Complexity: O(chips · (chips + links)): Dijkstra's algorithm.
    public func cyclesToReach(chips: Int) -> Int? {
        guard chips > 0, chips <= chipCount else { return nil }
        var times = Array(repeating: Int.max, count: chipCount)
        var left = Array(0..<chipCount)
        times[0] = 0
        for reached in 1...chips {
            guard let next = left.indices.min(by: { times[left[$0]] < times[left[$1]] }),
                times[left[next]] < Int.max
            else { return nil }
            let chip = left.remove(at: next)
            if reached == chips { return times[chip] }
            for axis in topology.axes {
                for link in axis.links {
                    let end = LinkEnd(ChipID(chip), LinkID(link))
                    guard let peer = topology.peer(of: end) else { continue }
                    let time = times[chip] + hop(over: axis)
                    times[peer.chip.index] = min(times[peer.chip.index], time)
                }
            }
        }
        return nil
    }
}

extension Axis {
    /// How many there are, and how they are wired.
    fileprivate var words: String {
        switch wiring {
        case .allToAll: "\(size) all to all"
        case .dragonfly: "\(size) groups all to all"
        case .line(_, let reach): "\(size) groups in a line, to \(reach) on either side"
        }
    }
}
