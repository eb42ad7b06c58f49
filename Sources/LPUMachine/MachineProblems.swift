import LPUSupport

extension Machine {
    /// Relations between the values that do not hold: without them a phase could trap or overflow.
    var problems: [String] { chip.problems + linkProblems }

    private var linkProblems: [String] {
        var problems = topology.wiringProblems
        // Sizes are at most 1024, so that a product of two still fits.
        var chips = 1
        let most = Machine.mostChips
        for axis in topology.axes where chips <= most { chips *= axis.size }
        if chips > most { problems.append("the axes make \(chips) chips or more, above \(most)") }
        for (i, axis) in topology.axes.enumerated() {
            if axis.links.upperBound > chip.linkCount {
                problems.append(
                    "axis '\(axis.name)' takes links up to \(axis.links.upperBound - 1), linkCount "
                        + "is \(chip.linkCount); raise linkCount or lower firstLink")
            }
            for other in topology.axes[..<i] where other.links.overlaps(axis.links) {
                problems.append(
                    "axes '\(other.name)' and '\(axis.name)' share links; move a firstLink")
            }
        }
        return problems
    }
}

extension Topology {
    /// Why groups cannot be joined as their axes say.
    var wiringProblems: [String] {
        var problems: [String] = []
        var chips = 1
        for axis in axes where chips <= Machine.mostResizedChips {
            switch axis.wiring {
            case .allToAll: break
            case .dragonfly(let links):
                if chips * links < axis.size - 1 {
                    problems.append(
                        "a group of axis '\(axis.name)' has \(chips * links) links, there are "
                            + "\(axis.size - 1) other groups; raise links or lower size")
                }
            case .line(let links, let reach):
                // Links are paired, there and back, and every distance has its own.
                if links % 2 != 0 || chips * links % (2 * reach) != 0 {
                    problems.append(
                        "a group of axis '\(axis.name)' has \(chips) x \(links) links, no pairs "
                            + "for each of \(reach) groups on either side")
                }
            }
            chips *= axis.size
        }
        return problems
    }
}

extension Chip {
    var problems: [String] {
        let divisions = [
            ("streamsPerDirection", streamsPerDirection, "streamsPerGroup", streamsPerGroup),
            ("streamsPerGroup", streamsPerGroup, "the bytes of fp32", 4),
            (
                "memSlicesPerHemisphere", memSlicesPerHemisphere, "memSlicesPerGroup",
                memSlicesPerGroup
            ),
            ("planeRows", planeRows, "weightStreamsPerPlane", weightStreamsPerPlane),
            ("aluCount", aluCount, "aluColumns", aluColumns),
        ]
        let limits = [
            ("planeRows", planeRows, "superlanes x lanesPerSuperlane", lanes),
            (
                "planesPerHemisphere x weightStreamsPerPlane",
                planesPerHemisphere * weightStreamsPerPlane, "streamsPerDirection",
                streamsPerDirection
            ),
            (
                "memSlicesPerHemisphere / memSlicesPerGroup", memGroupsPerHemisphere,
                "the registers of a side", 30
            ),
            // What is loaded so long before an install that it takes it is no second tile.
            ("loadBeforeInstall + 1", loadBeforeInstall + 1, "installLatency", installLatency),
            ("transposerStreams", transposerStreams, "lanesPerSuperlane", lanesPerSuperlane),
            ("distributorStreams", distributorStreams, "streamsPerDirection", streamsPerDirection),
            ("transposerStreams", transposerStreams, "streamsPerDirection", streamsPerDirection),
            ("permutorStreams", permutorStreams, "streamsPerDirection", streamsPerDirection),
            ("shifterStreams", shifterStreams, "streamsPerDirection", streamsPerDirection),
        ]
        return divisions.filter { !$0.1.isMultiple(of: $0.3) }.map {
            "\($0.0) is \($0.1), no multiple of \($0.2), \($0.3)"
        }
            + limits.filter { $0.1 > $0.3 }.map {
                "\($0.0) is \($0.1), above \($0.2), \($0.3)"
            } + aluProblems
    }

    private var aluProblems: [String] {
        var problems: [String] = []
        let rows = aluCount / aluColumns
        if aluRowGroups.count != rows {
            problems.append(
                "aluRowGroups has \(aluRowGroups.count) rows, aluCount / aluColumns is \(rows)")
        }
        let groups = streamsPerDirection / streamsPerGroup
        for group in aluRowGroups.joined() where group >= groups {
            problems.append("aluRowGroups names group \(group), there are \(groups)")
        }
        for alu in largeALUs where alu >= aluCount {
            problems.append("largeAlus names ALU \(alu), aluCount is \(aluCount)")
        }
        return problems
    }
}
