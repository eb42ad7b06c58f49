import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

/// A gathered row scattered into a region, of which a row then goes through a lane map.
private struct Append {
    var sketch = Sketch()
    let gather: Int
    let scatter: Int
    let readBack: Int
    let map: Int

    init() {
        let table = sketch.builder.image(
            "table", type: .fp8, count: 16, .constant(bits: 1, vectors: 0..<16, lanes: 0..<320))
        let address = sketch.builder.image("address", type: .int8, count: 1, .zero)
        let region = sketch.builder.image("region", type: .fp8, count: 10, .zero)
        let row = sketch.builder.gather(table[2], rows: 8, address: address[0], count: 1)
        let next = sketch.builder.scatter(
            into: region[1], rows: 8, address: address[0], data: row[0], count: 1)
        let halves = (0..<16).map { Int16($0 < 8 ? $0 : -1) }
        _ = sketch.builder.distribute(halves, next[3], count: 1)
        sketch.laneMaps = [halves, (0..<16).map { Int16($0) }, halves.reversed()]
        sketch.hold(table, .east, 4, rows: 16)
        sketch.hold(address, .east, 5, rows: 1)
        sketch.hold(region, .east, 9, rows: 10)
        sketch.read(0, .east, 5, east0)
        sketch.read(2, .east, 5, east0)
        gather = sketch.at(
            1, .memory(.east, slice: 4),
            .memory(
                .gather(
                    window: RowAddress(bank: 0, row: 2), rows: 8, address: east0,
                    Stream(.east, 1)), .none))
        scatter = sketch.at(
            4, .memory(.east, slice: 9),
            .memory(
                .none,
                .scatter(
                    window: RowAddress(bank: 0, row: 1), rows: 8, address: east0,
                    Stream(.east, 1))))
        readBack = sketch.chips[0].bursts.count
        sketch.read(6, .east, 9, row: 3, Stream(.east, 2))
        map = sketch.at(
            16, .distributor(.east, 0),
            .distribute(from: Stream(.east, 2), to: Stream(.west, 3), count: 1, LaneMapID(0)))
    }
}

/// One row sent from chip 0 to chip 1 and written there.
private struct Hop {
    var sketch = Sketch("node8", chips: 2)
    let send: Int
    let receive: Int

    init() {
        let x = sketch.builder.image("x", type: .fp8, count: 1, .zero)
        _ = sketch.builder.transfer(x[0], to: 1)
        sketch.hold(x, .west, 0, rows: 1)
        sketch.read(0, .west, 0, west0)
        send = sketch.at(12, .link(LinkID(0)), .send(west0))
        receive = sketch.at(277, .link(LinkID(6)), .receive(east0), chip: 1)
        sketch.at(
            289, .memory(.west, slice: 0),
            .memory(.none, .write(RowAddress(bank: 0, row: 0), east0)), chip: 1)
    }
}

/// A byte in, plus one, and out again at the host port.
private struct RoundTrip {
    var sketch = Sketch()
    let egress: Int

    init() {
        let x = sketch.builder.ingress(count: 1)
        let y = sketch.builder.elementwise(.addInt, x[0], integer: 1)
        let z = sketch.builder.elementwise(.intToInt8, y[0])
        _ = sketch.builder.egress(z[0])
        sketch.at(0, .host, .ingress(east0))
        sketch.at(
            17, .alu(0),
            .alu(.addInt, .stream(east0, .int8), .immediate(1), east: nil, west: nil))
        sketch.at(20, .alu(1), .alu(.intToInt8, .alu(0), nil, east: nil, west: west0))
        egress = sketch.at(35, .host, .egress(west0))
    }
}

@Suite struct MovementTests {
    @Test func gatherScatterAndLaneMapAreAccepted() {
        #expect(Append().sketch.judged().violations == [])
    }

    @Test func theOldVersionIsNoLongerRead() {
        let append = Append()
        // The row of the region before the scatter touches it: read a cycle before.
        let broken = append.sketch.broken {
            $0.delay(append.readBack, by: -4)
            $0.delay(append.map, by: -4)
        }
        #expect(broken == [.provenance, .coverage])
    }

    @Test func aRowOutsideTheWindowKeepsItsVersion() {
        var append = Append()
        // Rows 0 and 9 are not in the window: either version names them.
        let halves = append.sketch.laneMaps[0]
        _ = append.sketch.builder.distribute(halves, ValueID(2)[0], count: 1)
        _ = append.sketch.builder.distribute(halves, ValueID(4)[9], count: 1)
        for (k, row) in [0, 9].enumerated() {
            append.sketch.read(7 + k, .east, 9, row: row, Stream(.east, 2))
        }
        append.sketch.at(
            17, .distributor(.east, 0),
            .distribute(from: Stream(.east, 2), to: Stream(.west, 3), count: 1, LaneMapID(0)),
            count: 2)
        #expect(append.sketch.judged().violations == [])
    }

    @Test func windowsOffByOne() {
        let append = Append()
        let gather = append.sketch.broken {
            $0.change(
                append.gather,
                .memory(
                    .gather(
                        window: RowAddress(bank: 0, row: 3), rows: 8, address: east0,
                        Stream(.east, 1)), .none))
        }
        #expect(gather == [.provenance, .coverage])
        let scatter = append.sketch.broken {
            $0.change(
                append.scatter,
                .memory(
                    .none,
                    .scatter(
                        window: RowAddress(bank: 0, row: 1), rows: 7, address: east0,
                        Stream(.east, 1))))
        }
        #expect(scatter == [.provenance, .coverage])
    }

    @Test func aScatterIsAppliedOnce() {
        let append = Append()
        let dropped = append.sketch.broken { $0.chips[0].bursts.remove(at: append.scatter) }
        #expect(dropped == [.provenance, .coverage])
        let broken = append.sketch.broken {
            $0.read(3, .east, 5, east0)
            $0.chips[0].bursts[append.gather].inner = Repeat(count: 2, distance: 1, step: 0)
            $0.chips[0].bursts[append.scatter].inner = Repeat(count: 2, distance: 1, step: 0)
        }
        #expect(broken == [.provenance, .coverage])
    }

    /// The next step finds what the image's rows hold at the end of this one, in every copy.
    @Test func everyCopyOfARegionIsScatteredInto() {
        let append = Append()
        let region = ValueID(2)
        var copied = append.sketch
        copied.hold(region, .east, 10, rows: 10)
        #expect(copied.broken() == [.provenance])
        // Rows outside of the window are the same in both versions.
        var outside = append.sketch
        for row in [0, 9] { outside.hold(region, .east, 10, row: row, rows: 1, first: row) }
        #expect(outside.broken() == [])
        // All is done in the copy: what is read there is right, the first rows are left behind.
        for burst in [append.scatter, append.readBack] {
            copied.chips[0].bursts[burst].queue = copied.machine.chip.queue(
                of: .memory(.east, slice: 10))
        }
        #expect(copied.broken() == [.provenance])
        for exhaustive in [false, true] {
            let verdict = copied.verdict(exhaustive: exhaustive)
            #expect(
                verdict.violations.map(\.description) == [
                    "chip0.mem.e9: error: row 1 of bank 0 holds v2[1] at the end, where the next "
                        + "step is to find v4[1] [provenance]"
                ])
        }
    }

    @Test func wrongLaneMap() {
        let append = Append()
        for map in [1, 2] {
            let broken = append.sketch.broken {
                $0.change(
                    append.map,
                    .distribute(
                        from: Stream(.east, 2), to: Stream(.west, 3), count: 1, LaneMapID(map)))
            }
            // The identity is a lawful move, only the op is not done.
            #expect(broken == (map == 1 ? [.coverage] : [.provenance, .coverage]))
        }
    }

    @Test func transposeShiftSelectAndPermute() {
        var sketch = Sketch()
        let x = sketch.builder.image("x", type: .fp8, count: 16, .zero)
        let t = sketch.builder.transpose(x[0], inputs: 16)
        _ = sketch.builder.shift(t[5], by: 3, count: 1)
        for s in 0..<16 {
            sketch.hold(x, .east, s, rows: 1, first: s)
            let register = sketch.machine.chip.register(ofSlice: s, in: .east)
            sketch.read(20 - 1 - (12 - register), .east, s, Stream(.east, s))
        }
        let transpose = sketch.at(
            20, .transposer(.east, 0),
            .transpose(from: east0, inputs: 16, to: Stream(.east, 16), outputs: 16))
        let shift = sketch.at(
            30, .shifter(.east, 0),
            .shift(from: Stream(.east, 21), to: west0, count: 1, by: 3))
        #expect(sketch.judged().violations == [])
        #expect(
            sketch.broken {
                $0.change(
                    transpose,
                    .transpose(
                        from: Stream(.east, 1), inputs: 15, to: Stream(.east, 16), outputs: 16))
            } == [.provenance, .coverage])
        #expect(
            sketch.broken {
                $0.change(shift, .shift(from: Stream(.east, 20), to: west0, count: 1, by: 3))
            } == [.provenance, .coverage])
    }

    @Test func aHopIsAccepted() { #expect(Hop().sketch.judged().violations == []) }

    @Test func lateSendAndEarlyReceive() {
        let hop = Hop()
        let late = hop.sketch.broken { $0.delay(hop.send, by: 1) }
        #expect(late == [.operandTiming, .coverage])
        let early = hop.sketch.broken { $0.delay(hop.receive, by: -1, chip: 1) }
        #expect(early == [.operandTiming, .coverage])
        let dropped = hop.sketch.broken { $0.chips[1].bursts.removeAll() }
        #expect(dropped == [.coverage])
    }

    @Test func ingressToEgress() {
        let trip = RoundTrip()
        #expect(trip.sketch.judged().violations == [])
        #expect(trip.sketch.broken { $0.delay(trip.egress, by: 1) } == [.operandTiming, .coverage])
        #expect(
            trip.sketch.broken {
                $0.at(36, .host, .ingress(east0))
            } == [.coverage])
        #expect(trip.sketch.broken { $0.chips[0].bursts.remove(at: trip.egress) } == [.coverage])
    }

    @Test func anImageRowIsOfTheProgram() {
        let hop = Hop()
        let broken = hop.sketch.broken {
            $0.chips[0].allocations[0].value = ValueID(1)
        }
        #expect(broken == [.operandTiming, .provenance, .coverage])
    }

    @Test func threadsChangeNothing() {
        let hop = Hop()
        var broken = hop.sketch
        broken.delay(hop.send, by: 1)
        for sketch in [hop.sketch, broken] {
            let one = symbolicRun(
                machine: sketch.machine, schedule: sketch.schedule, program: sketch.program)
            let two = symbolicRun(
                machine: sketch.machine, schedule: sketch.schedule, program: sketch.program,
                threads: 2)
            #expect(one.violations == two.violations)
            #expect(one.issueCount == two.issueCount)
        }
    }
}

@Suite struct BadScheduleTests {
    /// Extreme numbers are refused in words; nothing traps.
    @Test func extremeNumbersDoNotTrap() {
        let hop = Hop()
        let changes: [(inout Sketch) -> Void] = [
            { $0.chips[0].bursts[0].start = Cycle(.max) },
            { $0.chips[0].bursts[0].start = Cycle(.min) },
            { $0.chips[0].bursts[0].inner = Repeat(count: 2, distance: 0) },
            { $0.chips[0].bursts[0].queue = QueueID(60_000) },
            { $0.chips[0].bursts[0].op = OpID(Int(Int32.max)) },
            { $0.chips[0].allocations[0].base.row = .max },
            { $0.chips[0].allocations[0].rows = .max },
            { $0.read(0, .west, 0, row: Int(Int32.max), Stream(.west, 255), count: 2) },
            { $0.read(0, .west, 0, row: -1, west0) },
            {
                $0.at(
                    1, .alu(0),
                    .alu(.copy, .stream(Stream(.west, 255), .fp32), nil, east: nil, west: nil))
            },
            { $0.at(1, .alu(0), .alu(.copy, .alu(255), nil, east: nil, west: nil)) },
            { $0.at(1, .alu(0), .send(west0)) },
            { $0.at(1, .loadWeights(.east, plane: 1), .loadWeights(column: -1, tandem: true)) },
            { $0.at(1, .accumulate(.east, plane: 1), .accumulate(row: -1, add: true, emit: nil)) },
        ]
        for (number, change) in changes.enumerated() {
            let expected = number == 4
            #expect((hop.sketch.broken(change) == []) == expected, "change \(number)")
        }
    }
}
