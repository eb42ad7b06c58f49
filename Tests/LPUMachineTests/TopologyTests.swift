import LPUMachine
import LPUSupport
import Testing

@Suite struct TopologyTests {
    private func topology(_ name: String) throws -> Topology {
        try #require(Machine.preset(named: name)).topology
    }

    /// Every wire of every chip, by its near end.
    private func wires(_ topology: Topology) -> [(near: LinkEnd, far: LinkEnd)] {
        (0..<topology.chipCount).flatMap { chip in
            topology.axes.flatMap(\.links).compactMap { link in
                let end = LinkEnd(ChipID(chip), LinkID(link))
                return topology.peer(of: end).map { (end, $0) }
            }
        }
    }

    @Test(arguments: ["node8", "lpx256-c", "dragonfly256", "quadfour576"])
    func wiresHaveTwoEnds(name: String) throws {
        let topology = try topology(name)
        let wires = wires(topology)
        var joined: [[ChipID: LinkID]] = Array(repeating: [:], count: topology.chipCount)
        for (near, far) in wires {
            #expect(near.chip != far.chip && topology.peer(of: far) == near)
            #expect(topology.axis(of: near.link) == topology.axis(of: far.link))
            #expect(topology.link(from: near.chip, to: far.chip) == near.link)
            #expect(topology.leastHops(from: near.chip, to: far.chip) == 1)
            joined[near.chip.index][far.chip] = near.link
        }
        // No link is made up either.
        for a in stride(from: 0, to: topology.chipCount, by: 7) {
            for b in 0..<topology.chipCount where a != b {
                #expect(
                    topology.link(from: ChipID(a), to: ChipID(b)) == joined[a][ChipID(b)],
                    "chip\(a) to chip\(b)")
            }
        }
    }

    /// [I22]: eight chips all to all; one link between any two of 32 nodes, of 4 links a chip.
    @Test func dragonflyIsAsPublished() throws {
        let topology = try topology("dragonfly256")
        var between: [[Int]: Int] = [:]
        for (near, far) in wires(topology) where near.chip.index / 8 != far.chip.index / 8 {
            between[[near.chip.index / 8, far.chip.index / 8], default: 0] += 1
        }
        #expect(between.count == 32 * 31 && between.values.allSatisfy { $0 == 1 })
        let longest = (0..<256).compactMap {
            topology.route(from: ChipID(3), to: ChipID($0))?.count
        }
        #expect(longest.count == 256 && longest.max() == 3)
    }

    /// [SHIP]: four links to each of the four nodes before and after.
    @Test func quadFourIsAsPublished() throws {
        let topology = try topology("quadfour576")
        var between: [[Int]: Int] = [:]
        for (near, far) in wires(topology) where near.chip.index / 8 != far.chip.index / 8 {
            between[[near.chip.index / 8, far.chip.index / 8], default: 0] += 1
        }
        let expected = (0..<72).flatMap { a in
            (0..<72).filter { (1...4).contains(abs($0 - a)) }.map { [a, $0] }
        }
        #expect(between.count == expected.count)
        #expect(expected.allSatisfy { between[$0] == 4 })
    }

    /// Each hop of a way leads to the chip that sends next, and no way is shorter.
    @Test(arguments: ["lpx256", "dragonfly256", "quadfour576"])
    func routesAreShortest(name: String) throws {
        let topology = try topology(name)
        let target = ChipID(0)
        // By breadth first from the target.
        var hops = Array(repeating: Int.max, count: topology.chipCount)
        hops[0] = 0
        let wires = wires(topology)
        for distance in 0..<40 {
            for (near, far) in wires where hops[near.chip.index] == distance {
                hops[far.chip.index] = min(hops[far.chip.index], distance + 1)
            }
        }
        for chip in stride(from: 0, to: topology.chipCount, by: 5).map({ ChipID($0) }) {
            let route = try #require(topology.route(from: chip, to: target))
            #expect(route.count == hops[chip.index], "\(chip)")
            #expect(topology.leastHops(from: chip, to: target) <= route.count)
            var here = chip
            for end in route {
                #expect(end.chip == here)
                here = try #require(topology.peer(of: end)).chip
            }
            #expect(here == target)
        }
    }

    /// A longer line is the same wiring; a dragonfly has no ports for more groups than its own do.
    @Test func resizing() throws {
        let line = try #require(Machine.preset(named: "quadfour576")).resized(chips: 640)
        #expect(line?.chipCount == 640 && line?.chip.linkCount == 11)
        let dragonfly = try #require(Machine.preset(named: "dragonfly256"))
        #expect(dragonfly.resized(chips: 264)?.chipCount == 264)
        #expect(dragonfly.resized(chips: 272) == nil)
    }

    @Test(arguments: [
        ("dragonfly 3 size 32", "axis 'b' has 24 links, there are 31 other groups"),
        ("line 3 reach 4 size 9", "has 8 x 3 links, no pairs for each of 4 groups"),
        ("line 4 reach 3 size 9", "has 8 x 4 links, no pairs for each of 3 groups"),
        ("dragonfly 5 size 32", "axis 'b' takes links up to 11, linkCount is 11"),
        ("line 4 size 9", "'size' stands where 'reach' is expected"),
    ])
    func wrongWiringIsExplained(wiring: String, message: String) throws {
        let text = """
            machine m
            extends node8
            axis a size 8 firstLink 0 lanes 1 latency 265 interval 27/1 H "x"
            axis b \(wiring) firstLink 7 lanes 1 latency 265 interval 27/1 H "x"
            """
        let error = #expect(throws: DiagnosticSet.self) {
            try Machine(parsing: text, file: "m")
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
}
