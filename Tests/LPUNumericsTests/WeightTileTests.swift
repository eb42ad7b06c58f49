import LPUSupport
import Testing

@testable import LPUNumerics

private let types: [ElementType] = [.fp8, .int8, .fp16]

private func randomPlanes(
    _ type: ElementType, _ lanes: Int, finite: Bool, _ generator: inout SeededGenerator
) -> [[UInt8]] {
    (0..<type.byteCount).map { _ in
        (0..<lanes).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            // Without the exponent's top bit no code is NaN or infinity.
            return finite ? byte & 0xbf : byte
        }
    }
}

/// The definition: plain loops, binary64 in lane order, one rounding.
private func reference(
    _ type: ElementType, _ rows: [[[UInt8]]?], _ activation: [[UInt8]]
) -> [UInt32] {
    let a = type.widen(activation)
    return rows.map { row in
        guard let row else { return 0 }
        let w = type.widen(row)
        if type == .int8 {
            let sum = zip(a, w).reduce(0) { sum, pair in
                sum + Int(Int32(bitPattern: pair.0)) * Int(Int32(bitPattern: pair.1))
            }
            return UInt32(bitPattern: Int32(sum))
        }
        var sum = 0.0
        for (x, y) in zip(a, w) {
            sum += Double(Float(bitPattern: x)) * Double(Float(bitPattern: y))
        }
        return Float(sum).isNaN ? canonicalNaN : Float(sum).bitPattern
    }
}

@Test(arguments: types, [true, false])
func productEqualsPlainLoopsBitForBit(_ type: ElementType, _ finite: Bool) {
    for seed: UInt64 in 0..<6 {
        var generator = SeededGenerator(seed: seed)
        let (rowCount, lanes) = [(320, 320), (33, 320), (1, 1), (16, 17), (320, 64), (5, 320)][
            Int(seed)]
        var tile = WeightTile(type: type, rowCount: rowCount, laneCount: lanes)
        for _ in 0..<3 {
            tile.removeAll()
            var rows = [[[UInt8]]?](repeating: nil, count: rowCount)
            for row in 0..<rowCount where Int.random(in: 0..<4, using: &generator) > 0 {
                let planes = randomPlanes(type, lanes, finite: finite, &generator)
                rows[row] = planes
                tile.setRow(row, planes)
            }
            let activation = randomPlanes(type, lanes, finite: finite, &generator)
            let sums = tile.multiply(activation)
            #expect(sums == reference(type, rows, activation), "\(type) seed \(seed)")
        }
    }
}

private func fp16(_ values: [Float]) -> [[UInt8]] {
    ElementType.fp16.narrow(values.map(\.bitPattern))
}

/// 2^30 + 2^-24 does not fit binary64, so that only the order says what is left after -2^30.
@Test func sumsAreInLaneOrder() {
    var tile = WeightTile(type: .fp16, rowCount: 2, laneCount: 4)
    let (large, small) = (0x1p15 as Float, 0x1p-24 as Float)
    tile.setRow(0, fp16([large, small, -large, 0]))
    tile.setRow(1, fp16([large, 0, -large, small]))
    #expect(tile.multiply(fp16([large, 1, large, 1])) == [0, small.bitPattern])
}

@Test func zeroSumsArePositive() {
    var tile = WeightTile(type: .fp16, rowCount: 3, laneCount: 2)
    tile.setRow(0, fp16([-0.0, -0.0]))
    tile.setRow(1, fp16([1, -1]))
    #expect(tile.multiply(fp16([1, 1])) == [0, 0, 0])
}

/// A row that was not loaded is zero as a result, whatever was there before or comes in.
@Test func unsetRowsIgnoreInfiniteActivations() {
    let infinite: [[UInt8]] = [[0x00], [0x7c]]
    var tile = WeightTile(type: .fp16, rowCount: 2, laneCount: 1)
    tile.setRow(0, fp16([0]))
    tile.setRow(1, infinite)
    #expect(tile.multiply(infinite) == [canonicalNaN, 0x7f80_0000])
    tile.removeAll()
    #expect(tile.multiply(infinite) == [0, 0])
    tile.removeAll(type: .int8)
    tile.setRow(1, [[0x80]])
    #expect(tile.multiply([[0x80]]) == [0, 16_384])
}

@Test func int8SumsAreExactAtTheExtremes() {
    let lanes = 320
    var tile = WeightTile(type: .int8, rowCount: 2, laneCount: lanes)
    tile.setRow(0, [Array(repeating: 0x80, count: lanes)])
    tile.setRow(1, [Array(repeating: 0x7f, count: lanes)])
    let sums = tile.multiply([Array(repeating: 0x80, count: lanes)])
    #expect(Int32(bitPattern: sums[0]) == 5_242_880)
    #expect(Int32(bitPattern: sums[1]) == -5_201_920)
}

@Test func keptSumsAddInTheirType() {
    #expect(ElementType.fp8.accumulation.apply(0x3f80_0000, 0x3f80_0000) == 0x4000_0000)
    #expect(ElementType.fp16.accumulation == .add)
    #expect(ElementType.int8.accumulation.apply(0xffff_ffff, 3) == 2)
}

/// Prints rates; asserts none, for a host may be busy.
@Test(arguments: types)
func throughput(_ type: ElementType) {
    var generator = SeededGenerator(seed: 1)
    let rows = (0..<320).map { _ in randomPlanes(type, 320, finite: true, &generator) }
    var tile = WeightTile(type: type, rowCount: 320, laneCount: 320)
    let clock = ContinuousClock()
    let install =
        (0..<5).map { _ in
            clock.measure {
                for (index, row) in rows.enumerated() { tile.setRow(index, row) }
            }
        }.min() ?? .zero
    let repeats = 20
    var sums = [UInt32]()
    let multiply = clock.measure {
        for _ in 0..<repeats { sums = tile.multiply(rows[0]) }
    }
    let rate = Double(320 * 320 * repeats) / (multiply / .seconds(1)) / 1e9
    print("\(type): 320 x 320 set in \(install / .microseconds(1)) us, then \(rate) G MAC/s")
    #expect(sums.count == 320)
}

/// Zeros of an activation are left out only where they cannot be felt: 0 times infinity is NaN.
@Test(arguments: types, [true, false])
func zerosOfTheActivationCount(_ type: ElementType, _ finite: Bool) {
    var generator = SeededGenerator(seed: 7)
    let (rowCount, lanes) = (33, 320)
    var tile = WeightTile(type: type, rowCount: rowCount, laneCount: lanes)
    let rows = (0..<rowCount).map { _ in
        randomPlanes(type, lanes, finite: finite, &generator)
    }
    for (row, planes) in rows.enumerated() { tile.setRow(row, planes) }
    var activation = randomPlanes(type, lanes, finite: true, &generator)
    for lane in 0..<lanes where lane % 5 > 0 {
        // Zeros of both signs.
        for plane in activation.indices { activation[plane][lane] = 0 }
        if type != .int8, lane % 2 == 0 { activation[type.byteCount - 1][lane] = 0x80 }
    }
    #expect(tile.multiply(activation) == reference(type, rows, activation))
    for plane in activation.indices { activation[plane] = Array(repeating: 0, count: lanes) }
    #expect(tile.multiply(activation) == reference(type, rows, activation))
}
