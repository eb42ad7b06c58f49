import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct StreamTests {
    /// Group g east reads onto s0e so that its value and the one from w0 share a diagonal.
    private func overwritten(by groups: [Int], keepAt registers: [Int]) throws -> (
        Bench, [Bench.Place]
    ) {
        var bench = try Bench()
        bench.rest(bench.pattern(0), row: 0, slice: 0, .west)
        bench.add(.memory(.west, slice: 0), at: 20, .read(0, try s("s0e")))
        for group in groups {
            let slice = 4 * (group - 1)
            bench.rest(bench.pattern(group), row: 0, slice: slice, .east)
            // At register -1 in 21, so at register g in 22 + g.
            bench.add(.memory(.east, slice: slice), at: 21 + group, .read(0, try s("s0e")))
        }
        let places = try registers.map { register in
            let slice = 4 * (register - 1) + 1
            bench.add(
                .memory(.east, slice: slice), at: 22 + register, .write(7, try s("s0e"), bank: 1))
            return Bench.Place(chip: 0, hemisphere: .east, slice: slice, row: 7)
        }
        return (bench, places)
    }

    @Test func aProducerOverwritesTheDiagonalFurtherOn() throws {
        // A MEM slice at the producer's own register sees what it puts there.
        let registers = Array(1...11)
        for groups in [[4, 8], [8, 4], [4], [11, 2, 6]] {
            let (bench, places) = try overwritten(by: groups, keepAt: registers)
            let expected = registers.map { r in
                bench.pattern(groups.filter { $0 <= r }.max() ?? 0)
            }
            #expect(try bench.run(places) == expected)
        }
    }

    @Test func twoProducersOnOneRegisterInOneCycleFault() throws {
        var bench = try overwritten(by: [4], keepAt: []).0
        bench.rest(bench.pattern(0), row: 0, slice: 14, .east)
        bench.add(.memory(.east, slice: 14), at: 25, .read(0, try s("s0e")))
        let fault = try bench.fault()
        #expect(fault.law == .streamConflict && fault.cycle == Cycle(25))
        #expect(fault.unit == .memory(.east, slice: 14))
        #expect(fault.message == "two producers meet on s0e at register 4 in @26")
    }

    @Test func directionsAndStreamsAreApart() throws {
        var bench = try Bench()
        for (i, name) in ["s3e", "s3w", "s4e", "s31w"].enumerated() {
            bench.rest(bench.pattern(i), row: 0, slice: 16 + i, .east)
            bench.add(.memory(.east, slice: 16 + i), at: 5, .read(0, try s(name)))
        }
        let places = try ["s3e", "s3w", "s4e", "s31w"].map { bench.keep(try s($0), from: 5, 6) }
        #expect(try bench.run(places) == (0..<4).map { bench.pattern($0) })
    }

    @Test func aValueLeavesAtTheEdge() throws {
        // Long after, its place in the ring of diagonals is free again, and empty.
        var bench = try Bench()
        bench.rest(bench.pattern(0), row: 0, slice: 0, .west)
        bench.add(
            .memory(.west, slice: 0), at: 0, .read(0, try s("s0e")),
            inner: Repeat(count: 5, distance: 64))
        bench.add(.memory(.east, slice: 0), at: 3 + 4 * 64, .write(0, try s("s0e")))
        bench.add(.memory(.east, slice: 0), at: 3 + 5 * 64, .write(1, try s("s0e")))
        let fault = try bench.fault()
        #expect(fault.law == .operandTiming && fault.cycle == Cycle(3 + 5 * 64))
    }

    @Test func theVXMSeesWhatArrivesAndTheOthersWhatIsProduced() throws {
        // alu0 puts its result on s0e at register 0 in cycle 40, where a row from w0 arrives.
        var bench = try Bench()
        bench.rest(bench.pattern(5), row: 0, slice: 0, .west)
        for k in 0..<4 {
            bench.rest(bench.pattern(5 + k), row: 0, slice: k, .west)
            bench.add(.memory(.west, slice: k), at: 38, .read(0, try s("s\(k)e")))
        }
        bench.add(
            .alu(0), at: 37,
            .alu(.copy, .immediate(0x0403_0201), nil, east: try s("s0e"), west: nil))
        bench.add(
            .alu(1), at: 44,
            .alu(.copy, .stream(try s("s0e"), .fp32), nil, east: nil, west: try s("s0w")))
        let arrived = try (0..<4).map { bench.keep(try s("s\($0)w"), from: 0, 47) }
        let beyond = try (0..<4).map { bench.keep(try s("s\($0)e"), from: 0, 40) }
        let result = try bench.run(arrived + beyond)
        #expect(result[..<4] == (0..<4).map { bench.pattern(5 + $0) }[...])
        #expect(result[4...].map { $0?.first } == [1, 2, 3, 4])
    }
}
