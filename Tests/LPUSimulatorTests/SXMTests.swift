import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct SXMTests {
    /// Feeds `inputs` vectors from s0e at the east edge in cycle 80 and keeps what `instruction`,
    /// issued then, emits westward from s4w on after `latency`.
    private func run(
        _ unit: Unit, inputs: Int, outputs: Int, latency: Int, laneMaps: [[Int16]] = [],
        _ instruction: Instruction
    ) throws -> [[UInt8]] {
        var bench = try Bench()
        bench.laneMaps = laneMaps
        for k in 0..<inputs { bench.feed(bench.pattern(k), Stream(.east, k), at: 12, 80) }
        bench.add(unit, at: 80, instruction)
        let places = (0..<outputs).map {
            bench.keep(Stream(.west, 4 + $0), from: 12, 80 + latency)
        }
        return try bench.run(places).map { try #require($0) }
    }

    private func pattern(_ seed: Int) throws -> [UInt8] { try Bench().pattern(seed) }

    @Test func distribute() throws {
        let map: [Int16] = [15, 14, 13, 12, -1, 10, 9, 8, 7, -1, 5, 4, 3, 2, -1, 0]
        let result = try run(
            .distributor(.east, 2), inputs: 3, outputs: 3, latency: 8, laneMaps: [[], map],
            .distribute(from: try s("s0e"), to: try s("s4w"), count: 3, LaneMapID(1)))
        for k in 0..<3 {
            let input = try pattern(k)
            let expected = (0..<320).map { (lane: Int) -> UInt8 in
                let source = Int(map[lane % 16])
                return source < 0 ? 0 : input[lane / 16 * 16 + source]
            }
            #expect(result[k] == expected)
        }
    }

    @Test(arguments: [(16, 16), (5, 3)]) func transpose(inputs: Int, outputs: Int) throws {
        let result = try run(
            .transposer(.east, 1), inputs: inputs, outputs: outputs, latency: 10,
            .transpose(
                from: try s("s0e"), inputs: UInt8(inputs), to: try s("s4w"),
                outputs: UInt8(outputs)))
        let rows = try (0..<inputs).map { try pattern($0) }
        for j in 0..<outputs {
            let expected = (0..<320).map { (lane: Int) -> UInt8 in
                lane % 16 < inputs ? rows[lane % 16][lane / 16 * 16 + j] : 0
            }
            #expect(result[j] == expected)
        }
    }

    @Test func permute() throws {
        let map = (0..<320).map { Int16(($0 * 7 + 3) % 320) }
        let result = try run(
            .permutor(.east, 0), inputs: 2, outputs: 2, latency: 60, laneMaps: [map],
            .permute(from: try s("s0e"), to: try s("s4w"), count: 2, LaneMapID(0)))
        let input = try pattern(1)
        #expect(result[1] == map.map { input[Int($0)] })
    }

    @Test(arguments: [5, -7, 320]) func shift(by: Int) throws {
        let result = try run(
            .shifter(.east, 0), inputs: 1, outputs: 1, latency: 36,
            .shift(from: try s("s0e"), to: try s("s4w"), count: 1, by: Int16(by)))
        let input = try pattern(0)
        let expected = (0..<320).map { (lane: Int) -> UInt8 in
            (0..<320).contains(lane - by) ? input[lane - by] : 0
        }
        #expect(result[0] == expected)
    }

    @Test(arguments: [3, -1, 16]) func rotate(by: Int) throws {
        let result = try run(
            .shifter(.east, 0), inputs: 1, outputs: 1, latency: 8,
            .rotate(from: try s("s0e"), to: try s("s4w"), count: 1, by: Int16(by)))
        let input = try pattern(0)
        let expected = (0..<320).map { (lane: Int) -> UInt8 in
            input[lane / 16 * 16 + (lane - by + 16) % 16]
        }
        #expect(result[0] == expected)
    }

    @Test func select() throws {
        let result = try run(
            .shifter(.east, 0), inputs: 4, outputs: 2, latency: 8,
            .select(
                low: try s("s0e"), high: try s("s2e"), to: try s("s4w"), count: 2, boundary: 100))
        for k in 0..<2 {
            let expected = try pattern(k)[..<100] + pattern(2 + k)[100...]
            #expect(result[k] == Array(expected))
        }
    }

    @Test func inputsMustBeThere() throws {
        var bench = try Bench()
        for k in 0..<2 { bench.feed(bench.pattern(k), Stream(.east, k), at: 12, 80) }
        bench.add(
            .transposer(.east, 0), at: 80,
            .transpose(from: try s("s0e"), inputs: 3, to: try s("s0w"), outputs: 1))
        #expect(try bench.fault().message == "s2e at register 12 holds nothing in @80")
    }

    @Test func anInwardValueTurnsAtTheEdgeOfItsSide() throws {
        // West edge: a westward value comes in, leaves inward, that is eastward.
        var bench = try Bench()
        bench.feed(bench.pattern(4), try s("s0w"), at: -12, 80)
        bench.add(
            .shifter(.west, 0), at: 80,
            .shift(from: try s("s0w"), to: try s("s0e"), count: 1, by: 0))
        let place = bench.keep(try s("s0e"), from: -12, 116)
        #expect(try bench.run([place]) == [bench.pattern(4)])
    }
}
