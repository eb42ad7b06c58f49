import LPUMachine
import LPUSupport

extension Machine {
    /// Two chips so small that every cycle, row and register can be written out.
    static let small: Machine = {
        var chip = preset(named: "groqchip1")!.chip
        (chip.superlanes, chip.lanesPerSuperlane) = (2, 2)
        (chip.streamsPerDirection, chip.streamsPerGroup) = (4, 4)
        (chip.memSlicesPerHemisphere, chip.memSlicesPerGroup, chip.rowsPerBank) = (4, 2, 6)
        (chip.planeRows, chip.weightStreamsPerPlane, chip.accumulatorRows) = (4, 2, 3)
        (chip.matmulToAccumulate, chip.accumulateLatency) = (3, 2)
        (chip.aluCount, chip.aluColumns, chip.aluRowGroups, chip.largeALUs) = (4, 4, [[0]], [0])
        chip.vxmExitLatency = 1
        (chip.transposerStreams, chip.distributorStreams) = (2, 2)
        (chip.linkCount, chip.receiveDepth, chip.hostInterval) = (2, 2, Rational(5, 2))
        (chip.installCadence, chip.instructionBytes, chip.maxWait) = (2, 12, 7)
        chip.writeToRead = 2
        let axis = Axis(
            name: "pair", size: 2, firstLink: LinkID(0), lanes: 1, latency: 4,
            interval: Rational(7, 3))
        return Machine(name: "small", chip: chip, topology: Topology(axes: [axis]), sources: [])
    }()
}

extension Topology {
    /// `size` chips, all wired to each other.
    static func clique(_ size: Int) -> Topology {
        Topology(axes: [
            Axis(
                name: "all", size: size, firstLink: LinkID(0), lanes: 1, latency: 4,
                interval: Rational(7, 3))
        ])
    }
}
