import LPUMachine
import LPUSupport
import Testing

@Suite struct MachineSummaryTests {
    private func machine(_ name: String) throws -> Machine {
        try #require(Machine.preset(named: name))
    }

    /// The sums that the papers and the machine's makers print.
    @Test(arguments: [("groqchip1", 76, 86), ("lp30", 85, 104), ("lp30-nominal", 85, 104)])
    func paths(name: String, published: Int, roundTrip: Int) throws {
        let chip = try machine(name).chip
        #expect(chip.publishedPath == published)
        #expect(chip.vxmRoundTrip == roundTrip)
    }

    @Test(arguments: [
        ("node8", [270]), ("dragonfly256", [270, 270]), ("quadfour576", [270, 270]),
        ("lpx256", [525, 525]), ("lpx256-reach", [525, 600]),
    ])
    func sentRow(name: String, hops: [Int]) throws {
        let machine = try machine(name)
        #expect(machine.topology.axes.map { machine.hop(over: $0) } == hops)
    }

    @Test(arguments: [
        ("lpx256", [525, 1050, 1050]), ("lpx256-b", [525, 1050, 1050]),
        ("lpx256-c", [525, 1050, 1575]), ("lpx256-reach", [525, 1125, 1125]),
    ])
    func reach(name: String, cycles: [Int]) throws {
        let machine = try machine(name)
        #expect([16, 128, 256].map { machine.cyclesToReach(chips: $0) } == cycles)
        #expect(machine.cyclesToReach(chips: 1) == 0)
        #expect(machine.cyclesToReach(chips: 257) == nil)
    }

    /// Three hops; and from one end of the line to the other.
    @Test(arguments: [("dragonfly256", 256, 3 * 270), ("quadfour576", 576, 20 * 270)])
    func reachOverGroups(name: String, chips: Int, cycles: Int) throws {
        #expect(try machine(name).cyclesToReach(chips: chips) == cycles)
    }

    @Test(arguments: [
        (
            "groqchip1",
            ["sum               144", "18.43 TB/s", "0.74 PFLOPS", "230686720 B a chip"]
        ),
        ("lp30", ["sum               239", "30.72 TB/s", "1.23 PFLOPS", "499712000 B a chip"]),
        ("lp30-nominal", ["153.60 TB/s a chip: what reaches the MXM"]),
        ("lpx256", ["256 chips  1050 cycles  0.70 us  published 1.15 us  differs"]),
        ("lpx256", ["16 chips   525 cycles   0.35 us  published 0.35 us  agrees"]),
        ("lpx256-reach", ["128 chips  1125 cycles  0.75 us  published 0.75 us  agrees"]),
        ("node8", ["axis node  8 all to all  links 0...6  1 lane  latency 265, hop 270"]),
    ])
    func summarySays(name: String, parts: [String]) throws {
        let text = try machine(name).summary().joined(separator: "\n")
        for part in parts { #expect(text.contains(part), "\(text)") }
    }

    @Test(arguments: Machine.presetNames) func summaryNamesEverySource(name: String) throws {
        let machine = try machine(name)
        let text = machine.summary().joined(separator: "\n")
        for source in machine.sources { #expect(text.contains(source.reason)) }
    }
}
