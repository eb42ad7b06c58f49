import Testing

@testable import LPUPlanning

@Suite struct WeightStreamTests {
    /// Against the definition: a hold counts for questions beyond its bytes alone.
    @Test func arrivalIsTheLatestThatSomeHoldSays() {
        var state: UInt64 = 7
        func random(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
        for _ in 0..<200 {
            let (rate, ahead, slack) = (1 + random(7), random(40), random(3))
            var stream = WeightStream(bytesPerCycle: rate, ahead: ahead, slack: slack)
            var holds: [(time: Int, passed: Int)] = []
            var (time, passed) = (0, 0)
            for _ in 0..<30 {
                time += random(12)
                passed += random(30)
                stream.settle(below: passed)
                stream.hold(until: time, passed: passed)
                holds.append((time, passed))
                let total = passed + random(60)
                let times = holds.filter { $0.passed + ahead < total }.map {
                    let bytes = total - $0.passed - ahead
                    return $0.time - slack + (bytes + rate - 1) / rate
                }
                #expect(stream.arrival(of: total) == max(0, times.max() ?? 0))
            }
        }
    }
}
