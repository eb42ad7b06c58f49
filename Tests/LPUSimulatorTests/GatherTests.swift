import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct GatherTests {
    /// An address vector: superlane k asks for `offset(k)`.
    private func addresses(_ bench: Bench, _ offset: (Int) -> Int) -> [UInt8] {
        (0..<bench.chip.lanes).map { lane in
            let (superlane, k) = lane.quotientAndRemainder(dividingBy: bench.chip.lanesPerSuperlane)
            return k < 2 ? UInt8(offset(superlane) >> (8 * k) & 255) : 0xee
        }
    }

    /// Rows of which superlane k is superlane k of `rows[row(k)]`.
    private func mixed(_ bench: Bench, _ row: (Int) -> [UInt8]) -> [UInt8] {
        (0..<bench.chip.lanes).map { row($0 / bench.chip.lanesPerSuperlane)[$0] }
    }

    private func gather(
        rows: Int32 = 300, written: Int = 302, _ offset: (Int) -> Int
    ) throws -> (Bench, [Bench.Place]) {
        var bench = try Bench()
        for row in 0..<written { bench.rest(bench.pattern(row), row: 40 + row, slice: 8, .east) }
        bench.feed(addresses(bench, offset), try s("s2e"), at: 3, 50)
        bench.add(
            .memory(.east, slice: 8), at: 50,
            .memory(
                .gather(
                    window: RowAddress(bank: 0, row: 40), rows: rows, address: try s("s2e"),
                    try s("s9e")), .none),
            inner: Repeat(count: 2, distance: 3, step: 1))
        // Two cycles to the stream at register 3.
        let places = try [52, 55].map { bench.keep(try s("s9e"), from: 3, $0) }
        return (bench, places)
    }

    @Test func eachSuperlaneReadsItsRow() throws {
        let (bench, places) = try gather { $0 * 14 }
        let expected = (0..<2).map { step in
            mixed(bench) { bench.pattern($0 * 14 + step) }
        }
        #expect(try bench.run(places) == expected)
    }

    @Test func aRowOutsideOfTheWindowFaults() throws {
        // Superlane 19 asks for row 285, then 286.
        let (bench, _) = try gather(rows: 286) { $0 * 15 }
        let fault = try bench.fault()
        #expect(fault.law == .addressRange && fault.cycle == Cycle(53))
        #expect(fault.message == "superlane 19 addresses row 286 of a window of 286")
        let (never, _) = try gather(written: 200) { $0 * 14 }
        #expect(try never.fault().message == "row 250 of bank 0 was never written")
        let (wide, _) = try gather(rows: 4096) { $0 }
        #expect(try wide.fault().message == "rows 40..<4136 are named, a bank has 4096")
    }

    private func scatter(image: Bool, rows: Int, _ offset: (Int) -> Int) throws -> Bench {
        var bench = try Bench()
        if image {
            for row in 0..<rows { bench.rest(bench.pattern(row), row: 10 + row, slice: 4, .east) }
        }
        bench.feed(addresses(bench, offset), try s("s0e"), at: 2, 50)
        bench.feed(bench.pattern(100), try s("s1e"), at: 2, 50)
        bench.feed(bench.pattern(101), try s("s1e"), at: 2, 52)
        bench.add(
            .memory(.east, slice: 4), at: 50,
            .memory(
                .none,
                .scatter(
                    window: RowAddress(bank: 0, row: 10), rows: Int32(rows), address: try s("s0e"),
                    try s("s1e"))),
            inner: Repeat(count: 2, distance: 2, step: 2))
        return bench
    }

    @Test func onlyAddressedSuperlanesChange() throws {
        // Even superlanes go to row 1, then 3; odd ones to row 0, then 2.
        let bench = try scatter(image: true, rows: 5) { $0 % 2 == 0 ? 1 : 0 }
        let simulator = try bench.simulator()
        _ = try simulator.step()
        for row in 0..<5 {
            let expected = mixed(bench) { superlane in
                let isHit = row < 4 && superlane % 2 == (row + 1) % 2
                return bench.pattern(isHit ? 100 + row / 2 : row)
            }
            #expect(simulator.row(10 + row, bank: 0, slice: 4, .east, of: ChipID(0)) == expected)
        }
    }

    @Test func aRowIsWrittenWhenAllItsSuperlanesAre() throws {
        let partial = try scatter(image: false, rows: 5) { $0 == 3 ? 1 : 0 }.simulator()
        _ = try partial.step()
        #expect(partial.row(10, bank: 0, slice: 4, .east, of: ChipID(0)) == nil)
        let bench = try scatter(image: false, rows: 5) { _ in 0 }
        let whole = try bench.simulator()
        _ = try whole.step()
        #expect(whole.row(10, bank: 0, slice: 4, .east, of: ChipID(0)) == bench.pattern(100))
        #expect(whole.row(12, bank: 0, slice: 4, .east, of: ChipID(0)) == bench.pattern(101))
    }

    @Test func aScatterOutsideOfTheWindowFaults() throws {
        let fault = try scatter(image: true, rows: 5) { $0 == 7 ? 3 : 0 }.fault()
        #expect(fault.message == "superlane 7 addresses row 5 of a window of 5")
        #expect(fault.cycle == Cycle(52) && fault.law == .addressRange)
    }
}
