import LPUMachine
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

@Suite struct BruteForceTests {
    /// Laws that need the order of a queue, and so are not held against each other where law 1
    /// is broken; the waits of law 5 too.
    private let ordered: [Law] = [.sramCapacity, .mxmWeights, .vxmRoute, .linkConflict, .linkPath]

    @Test(arguments: RandomSchedules.Part.allCases)
    func verdictsAgreeWithEveryIssueWrittenOut(part: RandomSchedules.Part) {
        let machine = Machine.small
        var (broken, kept): ([Law: Int], [Law: Int]) = ([:], [:])
        for seed in 0..<1000 as Range<UInt64> {
            var random = RandomSchedules(machine: machine, seed: seed)
            let schedule = random.schedule(part)
            let verdict = Verifier().verify(machine: machine, schedule: schedule)
            let slow = BruteForce(machine, schedule)
            let isOrdered = (0...1).allSatisfy { !slow.breaksQueueOrder($0) }
            for c in 0...1 {
                let expected = Set(slow.brokenLaws(c)).filter { isOrdered || !ordered.contains($0) }
                let found = Set(verdict.violations.filter { $0.chip == ChipID(c) }.map(\.law))
                    .filter { (isOrdered || !ordered.contains($0)) && $0 != .linkPath }
                #expect(found == expected, "seed \(seed), chip\(c), \(part):\n\(verdict)")
                for law in expected { broken[law, default: 0] += 1 }
                for law in Law.allCases where !expected.contains(law) { kept[law, default: 0] += 1 }
            }
            if isOrdered {
                let isBroken = slow.breaksPath(from: 0) || slow.breaksPath(from: 1)
                #expect(
                    verdict.violations.contains { $0.law == .linkPath } == isBroken,
                    "seed \(seed), \(part):\n\(verdict)")
                if isBroken { broken[.linkPath, default: 0] += 1 }
                if !isBroken { kept[.linkPath, default: 0] += 1 }
            }
        }
        // The schedules must be able to tell a wrong judge from a right one.
        for law in laws(of: part) {
            #expect((broken[law] ?? 0) > 50 && (kept[law] ?? 0) > 50, "\(law), \(part)")
        }
    }

    private func laws(of part: RandomSchedules.Part) -> [Law] {
        switch part {
        case .memory: [.queueOrder, .streamConflict, .memPort, .sramOverlap, .sramCapacity]
        case .vxm: [.queueOrder, .streamConflict, .vxmRoute]
        case .mxm: [.mxmWeights]
        case .links: [.linkConflict, .linkPath]
        }
    }
}
