import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct MemoryTests {
    /// From the outermost group west to the outermost one east: 1 for the read, 22 hops.
    private func copy(writeAt cycle: Int, readRow: Int = 5) throws -> Bench {
        var bench = try Bench()
        bench.rest(bench.pattern(1), row: 5, slice: 43, .west)
        bench.add(.memory(.west, slice: 43), at: 10, .read(readRow, try s("s7e")))
        bench.add(.memory(.east, slice: 43), at: cycle, .write(9, try s("s7e"), bank: 1))
        return bench
    }

    @Test func aReadCrossesTheChip() throws {
        let bench = try copy(writeAt: 33)
        let simulator = try bench.simulator()
        let result = try simulator.step()
        #expect(simulator.row(9, bank: 1, slice: 43, .east, of: ChipID(0)) == bench.pattern(1))
        #expect(simulator.row(9, bank: 0, slice: 43, .east, of: ChipID(0)) == nil)
        #expect(result.statistics.cycles == 34)
        #expect(result.statistics.issues == 2)
    }

    @Test(arguments: [32, 34]) func aCycleOffFindsNothing(cycle: Int) throws {
        let fault = try copy(writeAt: cycle).fault()
        #expect(fault.law == .operandTiming)
        #expect(fault.unit == .memory(.east, slice: 43))
        #expect(fault.cycle == Cycle(cycle))
        #expect(
            fault.description
                == "chip0.mem.e43 @\(cycle): fault: s7e at register 11 holds nothing in @\(cycle) "
                + "[operand-timing]")
    }

    @Test func aCycleOffFindsAnotherValue() throws {
        var bench = try Bench()
        for row in 0..<3 { bench.rest(bench.pattern(row), row: row, slice: 0, .west) }
        bench.add(
            .memory(.west, slice: 0), at: 0, .read(0, try s("s0e")),
            inner: Repeat(count: 3, distance: 1, step: 1))
        // Register -1 to 1 is two hops: row r passes in cycle r + 3.
        bench.add(.memory(.east, slice: 0), at: 4, .write(0, try s("s0e")))
        let simulator = try bench.simulator()
        _ = try simulator.step()
        #expect(simulator.row(0, bank: 0, slice: 0, .east, of: ChipID(0)) == bench.pattern(1))
    }

    @Test func rowsOutsideAndNeverWritten() throws {
        let never = try copy(writeAt: 33, readRow: 6).fault()
        #expect(never.law == .addressRange && never.cycle == Cycle(10))
        #expect(never.message == "row 6 of bank 0 was never written")
        for row in [-1, 4096] {
            let outside = try copy(writeAt: 33, readRow: row).fault()
            #expect(outside.law == .addressRange && outside.cycle == Cycle(10))
        }
        var bench = try Bench()
        bench.add(.memory(.west, slice: 0), at: 3, .read(0, try s("s0e"), bank: 2))
        #expect(try bench.fault().message == "bank 2 is named, a slice has 2")
    }

    @Test func readAndWriteInOneCycleNeedTwoBanks() throws {
        func both(_ bank: Int) throws -> Bench {
            var bench = try Bench()
            bench.rest(bench.pattern(2), row: 0, slice: 0, .east)
            bench.feed(bench.pattern(3), try s("s4e"), at: 1, 20)
            bench.add(
                .memory(.east, slice: 0), at: 20,
                .memory(
                    .read(RowAddress(bank: 0, row: 0), try s("s5e")),
                    .write(RowAddress(bank: bank, row: 1), try s("s4e"))))
            return bench
        }
        let simulator = try both(1).simulator()
        _ = try simulator.step()
        #expect(
            simulator.row(1, bank: 1, slice: 0, .east, of: ChipID(0)) == (try both(1)).pattern(3))
        let fault = try both(0).fault()
        #expect(fault.law == .memPort && fault.cycle == Cycle(20))
    }

    @Test(arguments: [1, 2, 3]) func aReadSeesAWriteAfterWriteToRead(gap: Int) throws {
        var machine = try #require(Machine.preset(named: "groqchip1"))
        machine.chip.writeToRead = 2
        var bench = Bench(machine)
        bench.rest(bench.pattern(8), row: 4, slice: 0, .east)
        bench.feed(bench.pattern(9), try s("s0e"), at: 1, 20)
        bench.add(.memory(.east, slice: 0), at: 20, .write(4, try s("s0e")))
        bench.add(.memory(.east, slice: 0), at: 20 + gap, .read(4, try s("s1e")))
        let place = bench.keep(try s("s1e"), from: 1, 21 + gap)
        if gap < 2 {
            let fault = try bench.fault()
            #expect(fault.law == .memPort && fault.cycle == Cycle(20 + gap))
        } else {
            #expect(try bench.run([place]) == [bench.pattern(9)])
        }
    }

    @Test func nestedRepeatsStepTheRow() throws {
        var bench = try Bench()
        for row in 0..<30 { bench.rest(bench.pattern(row), row: row, slice: 3, .east) }
        bench.add(
            .memory(.east, slice: 3), at: 0, .read(2, try s("s1e")),
            inner: Repeat(count: 3, distance: 2, step: 1),
            outer: Repeat(count: 2, distance: 9, step: 20))
        let cycles = [0, 2, 4, 9, 11, 13]
        let places = try cycles.map { bench.keep(try s("s1e"), from: 1, $0 + 1) }
        #expect(try bench.run(places) == [2, 3, 4, 22, 23, 24].map { bench.pattern($0) })
    }

    @Test func aStepStartsFromTheSRAMThatTheLastOneLeft() throws {
        var bench = try Bench()
        bench.rest(bench.pattern(1), row: 0, slice: 0, .west)
        bench.rest(bench.pattern(2), row: 0, slice: 0, .east)
        // Row 0 of w0 goes to e0, and what e0 held goes on to e4.
        bench.add(.memory(.east, slice: 0), at: 1, .read(0, try s("s1e")))
        bench.add(.memory(.east, slice: 4), at: 3, .write(0, try s("s1e")))
        bench.add(.memory(.west, slice: 0), at: 10, .read(0, try s("s0e")))
        bench.add(.memory(.east, slice: 0), at: 13, .write(0, try s("s0e")))
        let simulator = try bench.simulator()
        for expected in [2, 1, 1] {
            _ = try simulator.step()
            let row = simulator.row(0, bank: 0, slice: 4, .east, of: ChipID(0))
            #expect(row == bench.pattern(expected))
        }
    }

    @Test func aQueueIssuesOneBurstAtATime() throws {
        func two(_ second: Int) throws -> Bench {
            var bench = try Bench()
            bench.rest(bench.pattern(0), row: 0, slice: 0, .west)
            bench.add(
                .memory(.west, slice: 0), at: 5, .read(0, try s("s0e")),
                inner: Repeat(count: 3, distance: 10))
            bench.add(.memory(.west, slice: 0), at: second, .read(0, try s("s1e")))
            return bench
        }
        _ = try two(26).run()
        for second in [5, 10, 25] {
            let fault = try two(second).fault()
            #expect(fault.law == .queueOrder && fault.cycle == Cycle(second))
            #expect(fault.unit == .memory(.west, slice: 0))
        }
    }

    @Test func repeatsNestOrFault() throws {
        func burst(_ inner: Repeat, _ outer: Repeat) throws -> Bench {
            var bench = try Bench()
            for row in 0..<8 { bench.rest(bench.pattern(row), row: row, slice: 0, .west) }
            bench.add(
                .memory(.west, slice: 0), at: 0, .read(0, try s("s0e")), inner: inner, outer: outer)
            return bench
        }
        // The same issues, the loops inside out.
        var inverted = try burst(
            Repeat(count: 2, distance: 10, step: 4), Repeat(count: 3, distance: 1, step: 1))
        let places = try [0, 1, 2, 10, 11, 12].map { inverted.keep(try s("s0e"), from: -1, $0 + 1) }
        #expect(try inverted.run(places) == [0, 1, 2, 4, 5, 6].map { inverted.pattern($0) })
        let crossed = try burst(Repeat(count: 2, distance: 2), Repeat(count: 3, distance: 1))
            .fault()
        #expect(crossed.law == .queueOrder && crossed.cycle == Cycle(0))
    }
}
