import LPUSupport
import Testing

@testable import LPUVerifier

@Suite struct ProgressionTests {
    private func random(_ generator: inout SeededGenerator) -> (Progression, [Int]) {
        func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        let (first, count, distance, rounds) = (pick(0...30), pick(1...5), pick(1...6), pick(1...5))
        let period = (count - 1) * distance + 1 + pick(0...9)
        let cycles = (0..<rounds).flatMap { j in
            (0..<count).map { first + j * period + $0 * distance }
        }
        return (
            Progression(
                first: first, count: count, distance: distance, rounds: rounds, period: period),
            cycles
        )
    }

    @Test func firstCommonIsTheLeastOfTheIntersection() {
        for seed in 0..<20_000 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let (a, inA) = random(&generator)
            let (b, inB) = random(&generator)
            #expect(a.firstCommon(with: b) == Set(inA).intersection(inB).min(), "seed \(seed)")
        }
    }

    @Test func containsExactlyItsCycles() {
        for seed in 0..<500 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let (a, cycles) = random(&generator)
            #expect(a.last == cycles.last, "seed \(seed)")
            for cycle in 0...(a.last + 10) {
                #expect(a.contains(cycle) == cycles.contains(cycle), "seed \(seed) @\(cycle)")
            }
        }
    }
}
