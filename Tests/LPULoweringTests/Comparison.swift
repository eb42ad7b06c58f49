import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference

@testable import LPULowering

/// How far a run of decode steps is from the reference.
struct Comparison {
    /// Of logits, in their standard deviations.
    var deviation = 0.0
    /// Of the appended keys (rotated) and values, in units of the last place of fp16 at the
    /// element, or at the root mean square of its vector where that is greater.
    var cacheUlps = 0.0
    /// Steps whose token is not that of the greatest logit.
    var wrongTokens = 0

    /// The limits that a right program keeps; the cache's are those of fp16 weights and inputs.
    var isClose: Bool { deviation < 0.01 && cacheUlps <= 2 && wrongTokens == 0 }
}

/// The reference decoding a sequence, with all that it cached in layer 0.
struct ReferenceRun {
    let decoder: Decoder
    let tokens: [Int]
    private(set) var logits: [[Double]] = []
    /// By position, all heads side by side.
    private(set) var keys: [[Double]] = []
    private(set) var values: [[Double]] = []

    init(_ decoder: Decoder, tokens: [Int]) {
        self.decoder = decoder
        self.tokens = tokens
        var (keys, values): ([[Double]], [[Double]]) = ([], [])
        logits = decoder.reference.logits(of: tokens) { site, row in
            if site == .kCache { keys.append(row) }
            if site == .vCache { values.append(row) }
        }
        let layers = decoder.configuration.layerCount
        self.keys = stride(from: 0, to: keys.count, by: layers).map { keys[$0] }
        self.values = stride(from: 0, to: values.count, by: layers).map { values[$0] }
    }

    /// Decodes from position `start` on, with the cache of all before in place.
    /// - Requires: one layer, unless `start` is 0.
    func compare(
        _ program: Program, context: Int, from start: Int = 0
    ) throws -> Comparison {
        let blocks = CacheBlocks(
            decoder.configuration, Plan(context: context), on: Machine.groqchip1.chip)
        var run = try decoder.run(program) {
            start == 0 ? nil : prefilled($0, upTo: start, blocks)
        }
        var comparison = Comparison()
        for position in start..<tokens.count {
            let (logits, egress) = try run.step(tokens[position], at: position)
            let expected = self.logits[position]
            comparison.deviation = max(
                comparison.deviation, LPULoweringTests.deviation(logits, from: expected))
            if token(egress) != argmax(logits) { comparison.wrongTokens += 1 }
            comparison.cacheUlps = max(comparison.cacheUlps, cacheUlps(run, position, blocks))
        }
        return comparison
    }

    // MARK: Layout of the cache, one set of heads

    private var dimension: Int { decoder.configuration.headDimension }

    /// Lanes 2i and 2i + 1 of a head hold elements i and i + d/2.
    private func keyLanes(_ position: Int) -> [Double] {
        keys[position].indices.map { lane in
            let (head, l) = lane.quotientAndRemainder(dividingBy: dimension)
            return keys[position][head * dimension + l / 2 + (l % 2) * dimension / 2]
        }
    }

    /// What a region of the first layer's cache is, by its name: `layer.keys` part 1, slice 2 is
    /// `layer.keys1.2`, and part 0 `layer.keys2`.
    private func region(
        _ name: String, among parts: Int
    ) -> (kind: String, part: Int, slice: Int)? {
        for kind in ["keys", "openValues", "values"] {
            for part in 0..<parts {
                for slice in 0..<16 where name == regionName(kind, part, slice) {
                    return (kind, part, slice)
                }
            }
        }
        return nil
    }

    private func regionName(_ kind: String, _ part: Int, _ slice: Int) -> String {
        "layer.\(kind)" + (part == 0 ? "" : "\(part).") + "\(slice)"
    }

    /// The row of a position's key in its region, and its first lane: blocks of a part that follow
    /// one another stand side by side.
    private func keyPlace(_ position: Int, _ blocks: CacheBlocks) -> (row: Int, lane: Int) {
        let inPart = position / 320 / blocks.parts
        return (
            inPart / blocks.sides * blocks.rows + position % 320 / 16,
            inPart % blocks.sides * blocks.width
        )
    }

    private func prefilled(_ value: Value, upTo end: Int, _ blocks: CacheBlocks) -> [UInt8]? {
        let (lanes, perBlock) = (320, (values[0].count + 15) / 16)
        var rows = [[Double]](
            repeating: Array(repeating: 0, count: lanes), count: value.count)
        guard let region = region(value.name, among: blocks.parts) else { return nil }
        switch region.kind {
        case "keys":
            for n in 0..<end where n % 16 == region.slice && n / lanes % blocks.parts == region.part
            {
                let (row, lane) = keyPlace(n, blocks)
                rows[row].replaceSubrange(lane..<lane + keys[n].count, with: keyLanes(n))
            }
        case "openValues":
            for n in end / lanes * lanes..<end where n % 16 == region.slice {
                rows[n % lanes / 16].replaceSubrange(0..<values[n].count, with: values[n])
            }
        case _:
            for n in 0..<end where n / lanes % blocks.parts == region.part {
                for c in stride(from: region.slice, to: values[n].count, by: 16) {
                    rows[n / lanes / blocks.parts * perBlock + c / 16][n % lanes] = values[n][c]
                }
            }
        }
        return rows.flatMap { row in
            let words = row.map { FP16.encode(Float($0)) }
            return words.map { UInt8($0 & 255) } + words.map { UInt8($0 >> 8) }
        }
    }

    /// How far the rows that a step appended in layer 0 are from the reference's.
    private func cacheUlps(
        _ run: DecoderRun, _ position: Int, _ blocks: CacheBlocks
    ) -> Double {
        let (block, lane) = position.quotientAndRemainder(dividingBy: 320)
        let (row, part) = block.quotientAndRemainder(dividingBy: blocks.parts)
        let place = keyPlace(position, blocks)
        let key = run.vectors(regionName("keys", part, position % 16))[place.row]
            .dropFirst(place.lane)
        let perBlock = (values[0].count + 15) / 16
        let value = values[position].indices.map { c in
            run.vectors(regionName("values", part, c % 16))[row * perBlock + c / 16][lane]
        }
        return max(ulps(Array(key), keyLanes(position)), ulps(value, values[position]))
    }

    private func ulps(_ row: [Double], _ expected: [Double]) -> Double {
        let squares = expected.reduce(0) { $0 + $1 * $1 }
        let floor = (squares / Double(expected.count)).squareRoot()
        return zip(row, expected).reduce(0) { worst, pair in
            let ulp = 0x1p-10 * max(abs(pair.1), floor).binade
            return max(worst, abs(pair.0 - pair.1) / ulp)
        }
    }
}
