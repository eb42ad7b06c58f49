import LPUSupport

extension Machine {
    /// Chips that a machine file may describe.
    public static let mostChips = 1024
    /// Chips that a machine is resized to: more than a file may describe, for plans alone.
    public static let mostResizedChips = 4096

    /// The machine with as many chips, its last axis shorter or longer; nil where they are above
    /// `mostResizedChips` or no multiple of the other axes' chips, there is no axis, or groups of a
    /// dragonfly have no ports for so many others. As few as fit the first axis are a part of it.
    ///
    /// A longer axis may ask for more links than the chip has: they are then taken as there, which
    /// `linksOfAxes` tells.
    public func resized(chips: Int) -> Machine? {
        guard let first = topology.axes.first, (1...Self.mostResizedChips).contains(chips) else {
            return nil
        }
        guard chips != chipCount else { return self }
        var machine = self
        machine.name = "\(name)-\(chips)chips"
        if chips <= first.size {
            machine.topology.axes = [first]
            machine.topology.axes[0].size = chips
            machine.topology.axes.removeAll { $0.size == 1 }
            return machine
        }
        let last = topology.axes.count - 1
        let others = chipCount / topology.axes[last].size
        guard chips.isMultiple(of: others) else { return nil }
        machine.topology.axes[last].size = chips / others
        machine.topology.axes.removeAll { $0.size == 1 }
        machine.chip.linkCount = max(chip.linkCount, machine.linksOfAxes)
        return machine.topology.wiringProblems.isEmpty ? machine : nil
    }

    /// Chips that a longer or shorter last axis adds or takes away.
    public var chipsPerUnit: Int {
        topology.axes.last.map { chipCount / $0.size } ?? 1
    }

    /// Links that the axes take.
    public var linksOfAxes: Int {
        topology.axes.map(\.links.upperBound).max() ?? 0
    }
}
