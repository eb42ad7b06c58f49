import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct PortTests {
    /// chip0 sends over link0 (west) in each of `sends`; chip1 receives them over link6 (west).
    private func hop(
        _ machine: Machine? = nil, sends: [Int], receives: [Int]
    ) throws -> (Bench, [Bench.Place]) {
        var bench = Bench(try machine ?? (try #require(Machine.preset(named: "node8"))))
        for (k, cycle) in sends.enumerated() {
            bench.feed(bench.pattern(k), try s("s5w"), at: -12, cycle)
            bench.add(.link(LinkID(0)), at: cycle, .send(try s("s5w")))
        }
        var places: [Bench.Place] = []
        for cycle in receives {
            bench.add(.link(LinkID(6)), at: cycle, .receive(try s("s2e")), on: 1)
            places.append(bench.keep(try s("s2e"), from: -12, cycle + 1, on: 1))
        }
        return (bench, places)
    }

    @Test func aVectorTakesTheLinksLatency() throws {
        let (bench, places) = try hop(sends: [100, 127], receives: [365, 400])
        #expect(try bench.run(places) == [bench.pattern(0), bench.pattern(1)])
    }

    @Test func receiveComesAfterTheArrival() throws {
        let early = try hop(sends: [100], receives: [364]).0.fault()
        #expect(early.law == .linkPath && early.cycle == Cycle(364) && early.chip == ChipID(1))
        #expect(early.message == "receive finds no vector, the next one arrives in @365")
        let never = try hop(sends: [], receives: [500]).0.fault()
        #expect(never.message == "receive finds no vector, none is under way")
    }

    @Test func aVectorThatNobodyReceivesFaults() throws {
        let fault = try hop(sends: [100, 127], receives: [365]).0.fault()
        #expect(fault.law == .linkPath && fault.cycle == Cycle(392))
        #expect(fault.chip == ChipID(1) && fault.unit == .link(LinkID(6)))
    }

    @Test(arguments: [473, 474]) func theFIFOHoldsFour(first: Int) throws {
        let sends = (0..<5).map { 100 + 27 * $0 }
        let (bench, places) = try hop(sends: sends, receives: (0..<5).map { first + 2 * $0 })
        if first == 473 {
            #expect(try bench.run(places) == (0..<5).map { bench.pattern($0) })
        } else {
            let fault = try bench.fault()
            #expect(fault.law == .linkPath && fault.cycle == Cycle(473))
            #expect(fault.message == "a vector arrives in a FIFO of 4 that holds as many")
        }
    }

    @Test func sendsKeepTheLinksInterval() throws {
        let near = try hop(sends: [100, 126], receives: [400, 420]).0.fault()
        #expect(near.law == .linkConflict && near.cycle == Cycle(126) && near.chip == ChipID(0))
        // 7/2: any two span 3 cycles, any three span 7.
        var machine = try #require(Machine.preset(named: "node8"))
        machine.topology.axes[0].interval = Rational(7, 2)
        func run(_ gaps: [Int]) throws -> (Bench, [Bench.Place]) {
            let sends = gaps.reduce(into: [100]) { $0.append($0[$0.count - 1] + $1) }
            return try hop(machine, sends: sends, receives: sends.map { $0 + 265 })
        }
        let (bench, places) = try run([3, 4, 3, 4, 4, 3])
        #expect(try bench.run(places) == (0..<7).map { bench.pattern($0) })
        #expect(try run([3, 4, 2]).0.fault().message.hasPrefix("2 vectors span 2 cycles"))
        let three = try run([4, 3, 3]).0.fault()
        #expect(three.message == "3 vectors span 6 cycles, less than 7")
        #expect(three.cycle == Cycle(110))
    }

    @Test func aReceivedVectorIsSentOn() throws {
        var bench = try Bench("node8")
        bench.feed(bench.pattern(3), try s("s5w"), at: -12, 100)
        bench.add(.link(LinkID(0)), at: 100, .send(try s("s5w")))
        // Outward, so that the link beside samples it at the register where it appears.
        bench.add(.link(LinkID(6)), at: 365, .receive(try s("s9w")), on: 1)
        bench.add(.link(LinkID(0)), at: 366, .send(try s("s9w")), on: 1)
        bench.add(.link(LinkID(6)), at: 631, .receive(try s("s1e")), on: 2)
        let place = bench.keep(try s("s1e"), from: -12, 632, on: 2)
        #expect(try bench.run([place]) == [bench.pattern(3)])
    }

    @Test func anUnwiredLink() throws {
        for (instruction, cycle) in [
            (Instruction.send(try s("s0w")), 7), (.receive(try s("s0w")), 9),
        ] {
            var bench = try Bench("node8")
            bench.add(.link(LinkID(8)), at: cycle, instruction, on: 4)
            let fault = try bench.fault()
            #expect(fault.law == .linkPath && fault.cycle == Cycle(cycle))
            #expect(fault.description.hasPrefix("chip4.link8 @\(cycle): fault: the link is not"))
        }
    }

    @Test func hostPort() throws {
        var bench = try Bench()
        bench.ingress = [ChipID(0): [bench.pattern(1), bench.pattern(2)]]
        bench.add(
            .host, at: 10, .ingress(try s("s3e")), inner: Repeat(count: 2, distance: 12))
        let places = try [11, 23].map { bench.keep(try s("s3e"), from: -12, $0) }
        bench.feed(bench.pattern(7), try s("s0w"), at: -12, 80)
        bench.add(.host, at: 80, .egress(try s("s0w")))
        let simulator = try bench.simulator()
        let result = try simulator.step(ingress: bench.ingress)
        #expect(result.egress.map(\.bytes) == [bench.pattern(7)])
        #expect(result.egress.map(\.cycle) == [Cycle(80)])
        #expect(places.map { simulator.bytes($0) } == [bench.pattern(1), bench.pattern(2)])
    }

    @Test func theHostPortIsGivenWhatItTakes() throws {
        func fault(_ vectors: [[UInt8]], distance: Int = 12) throws -> Fault {
            var bench = try Bench()
            bench.ingress = [ChipID(0): vectors]
            bench.add(
                .host, at: 10, .ingress(try s("s3e")), inner: Repeat(count: 2, distance: distance))
            return try bench.fault()
        }
        let vector = try Bench().pattern(0)
        let missing = try fault([vector])
        #expect(missing.message == "ingress finds no vector, 1 were given")
        #expect(missing.cycle == Cycle(22) && missing.unit == .host)
        #expect(
            try fault([vector, vector, vector]).message
                == "3 ingress vectors are given, 2 are taken")
        #expect(
            try fault([vector, [1, 2]]).message == "ingress is given 2 bytes, a vector has 320")
        let near = try fault([vector, vector], distance: 11)
        #expect(near.law == .linkConflict && near.cycle == Cycle(21))
    }
}
