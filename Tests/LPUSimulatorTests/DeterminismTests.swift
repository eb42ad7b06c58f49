import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct DeterminismTests {
    /// Every chip sends one vector to every other one, `rounds` times, and keeps what it gets.
    private func allGather(rounds: Int) throws -> (Bench, [Bench.Place], [[UInt8]]) {
        var bench = try Bench("node8")
        var places: [Bench.Place] = []
        var expected: [[UInt8]] = []
        for round in 0..<rounds {
            let cycle = 100 + 50 * round
            for chip in 0..<8 {
                let bytes = bench.pattern(chip + 8 * round)
                bench.feed(bytes, try s("s0w"), at: -12, cycle, on: chip)
                bench.feed(bytes, try s("s0e"), at: 12, cycle, on: chip)
                for link in 0..<7 {
                    let side = bench.chip.hemisphere(of: LinkID(link))
                    let inward = Stream(side.inward, 1 + link)
                    let outward = Stream(side.outward, 0)
                    bench.add(.link(LinkID(link)), at: cycle, .send(outward), on: chip)
                    bench.add(.link(LinkID(link)), at: cycle + 266, .receive(inward), on: chip)
                    places.append(
                        bench.keep(inward, from: side.sign * 12, cycle + 267, on: chip))
                    expected.append(bench.pattern((chip + link + 1) % 8 + 8 * round))
                }
            }
        }
        return (bench, places, expected)
    }

    @Test(arguments: [1, 2, 3, 100]) func allGatherInAnyNumberOfThreads(threads: Int) throws {
        let (bench, places, expected) = try allGather(rounds: 4)
        let simulator = try bench.simulator(threads: threads)
        let first = try simulator.step().statistics
        #expect(places.map { simulator.bytes($0) } == expected)
        #expect(try simulator.step().statistics == first)
        #expect(places.map { simulator.bytes($0) } == expected)
    }

    @Test(arguments: [1, 2, 8]) func theEarliestFaultIsReported(threads: Int) throws {
        func bench(_ faults: [(chip: Int, cycle: Int)]) throws -> Bench {
            var (bench, _, _) = try allGather(rounds: 3)
            for (chip, cycle) in faults {
                bench.add(.memory(.east, slice: 40), at: cycle, .write(0, try s("s30e")), on: chip)
            }
            return bench
        }
        let later = try bench([(1, 250), (6, 240), (3, 240)]).fault(threads: threads)
        #expect(later.chip == ChipID(3) && later.cycle == Cycle(240))
        let first = try bench([(7, 20), (0, 300)]).fault(threads: threads)
        #expect(first.chip == ChipID(7) && first.cycle == Cycle(20))
    }

    /// Random copies between slices against a table of rows; every row's value is known.
    @Test(arguments: 0..<8) func randomCopies(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bench = try Bench()
        var rows: [[Int: Int]] = Array(repeating: [:], count: 44)
        for slice in 0..<44 {
            bench.rest(bench.pattern(slice), row: 0, slice: slice, .east)
            rows[slice][0] = slice
        }
        var cycle = 0
        for row in 1..<200 {
            // One copy at a time: streams are free again after the chip is crossed.
            cycle += Int.random(in: 24..<40, using: &random)
            let from = Int.random(in: 0..<44, using: &random)
            let to = Int.random(in: 0..<44, using: &random)
            let source = rows[from].keys.sorted().randomElement(using: &random) ?? 0
            let (a, b) = (from / 4, to / 4)
            guard from != to else { continue }
            let stream = Stream(a <= b ? .east : .west, Int.random(in: 0..<32, using: &random))
            bench.add(.memory(.east, slice: from), at: cycle, .read(source, stream))
            bench.add(.memory(.east, slice: to), at: cycle + 1 + abs(a - b), .write(row, stream))
            rows[to][row] = rows[from][source]
        }
        let simulator = try bench.simulator()
        _ = try simulator.step()
        for slice in 0..<44 {
            for (row, value) in rows[slice] {
                let bytes = simulator.row(row, bank: 0, slice: slice, .east, of: ChipID(0))
                #expect(
                    bytes == bench.pattern(value),
                    "repeat with randomCopies(seed: \(seed)), row \(row) of mem.e\(slice)")
            }
        }
    }
}
