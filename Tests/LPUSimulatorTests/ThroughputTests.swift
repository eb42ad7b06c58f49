import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

/// Prints what the simulator does a second; expects counts only, for times differ.
@Suite(.serialized) struct ThroughputTests {
    private static let period = 24

    /// Every plane loads a tile every 24 cycles and multiplies it with `activations` vectors,
    /// which are the weight vectors that happen to pass on the side's first streams.
    private func tiles(_ count: Int, activations: Int, _ type: ElementType) throws -> Bench {
        var bench = try Bench()
        let isTandem = type == .fp16
        let matmuls = Repeat(count: activations, distance: isTandem ? 2 : 1, step: 1)
        let all = Repeat(count: count, distance: Self.period)
        for side in Hemisphere.allCases {
            let opposite: Hemisphere = side == .east ? .west : .east
            for slice in 0..<32 {
                for row in 0..<Self.period {
                    let bytes = bench.pattern(slice + row).map { $0 & 0x3f }
                    bench.rest(bytes, row: row, slice: slice, opposite)
                }
                // At the edge in 40: a cycle for the read, a hop for each register.
                bench.add(
                    .memory(opposite, slice: slice), at: 40 - 1 - (12 + slice / 4 + 1),
                    .read(0, Stream(side.outward, slice)),
                    inner: Repeat(count: Self.period, distance: 1, step: 1), outer: all)
            }
            for plane in 0..<(isTandem ? 1 : 2) {
                bench.add(
                    .loadWeights(side, plane: plane), at: 40,
                    .loadWeights(column: 0, tandem: isTandem),
                    inner: Repeat(count: 20, distance: 1, step: 1), outer: all)
                for tile in 0..<count {
                    let install = 62 + tile * Self.period
                    let queue = Unit.matmul(side, plane: plane)
                    bench.add(queue, at: install, .install(tandem: isTandem))
                    let matmul = Instruction.matmul(activation: Stream(side.outward, 0), type)
                    // The last cycles of the last tile's rows are still passing.
                    bench.add(queue, at: install + 1, matmul, inner: matmuls)
                }
                bench.add(
                    .accumulate(side, plane: plane), at: 63 + 22,
                    .accumulate(row: 0, add: false, emit: nil), inner: matmuls, outer: all)
            }
        }
        // The vectors that the last matmuls take.
        for side in Hemisphere.allCases {
            let opposite: Hemisphere = side == .east ? .west : .east
            for slice in 0..<2 {
                bench.add(
                    .memory(opposite, slice: slice),
                    at: 40 - 1 - 13 + count * Self.period,
                    .read(0, Stream(side.outward, slice)),
                    inner: Repeat(count: Self.period, distance: 1, step: 1))
            }
        }
        return bench
    }

    @Test(arguments: [
        (ElementType.fp8, 1), (.fp8, 8), (.int8, 8), (.fp16, 1), (.fp16, 8),
    ])
    func multiplyAccumulates(type: ElementType, activations: Int) throws {
        let count = 8
        let simulator = try tiles(count, activations: activations, type).simulator()
        _ = try simulator.step()
        let clock = ContinuousClock()
        let start = clock.now
        let statistics = try simulator.step().statistics
        let seconds = (clock.now - start) / .seconds(1)
        let planes = type == .fp16 ? 2 : 4
        #expect(statistics.multiplyAccumulates == count * planes * activations * 320 * 320)
        let macs = Double(statistics.multiplyAccumulates) / seconds / 1e6
        print("\(type.rawValue), \(activations) activations a tile: \(Int(macs)) M MAC/s")
    }

    @Test func issues() throws {
        // 32 rows a cycle cross the chip, and two ALUs work, for 2000 cycles.
        let cycles = 2000
        var bench = try Bench()
        for slice in 0..<32 {
            bench.rest(bench.pattern(slice), row: 0, slice: slice, .west)
            bench.add(
                .memory(.west, slice: slice), at: 20 - slice / 4, .read(0, Stream(.east, slice)),
                inner: Repeat(count: cycles))
            bench.add(
                .memory(.east, slice: slice), at: 23 + slice / 4, .write(0, Stream(.east, slice)),
                inner: Repeat(count: cycles))
        }
        for alu in 0..<2 {
            let stream = Stream(.east, 4 * alu)
            bench.add(
                .alu(alu), at: 26,
                .alu(
                    .add, .stream(stream, .fp32), .immediate(0), east: nil,
                    west: Stream(.west, 4 * alu)), inner: Repeat(count: cycles))
        }
        let simulator = try bench.simulator()
        _ = try simulator.step()
        let clock = ContinuousClock()
        let start = clock.now
        let statistics = try simulator.step().statistics
        let seconds = (clock.now - start) / .seconds(1)
        #expect(statistics.issues == 66 * cycles)
        print("\(Int(seconds * 1e9) / statistics.issues) ns an issue")
    }
}
