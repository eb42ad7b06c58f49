import LPUSupport
import Synchronization
import Testing

@Suite struct CrewTests {
    /// Each map is whole before the next one begins, in any number of threads; so many that a
    /// helper is now and then late to let a map's body go.
    @Test(arguments: [1, 2, 5]) func mapsFollowOneAnother(threads: Int) {
        let crew = Crew(threads: threads)
        defer { crew.dismiss() }
        let sum = Atomic<Int>(0)
        for round in 1...20_000 {
            crew.forEach(count: 16) { sum.wrappingAdd($0 + 1, ordering: .relaxed) }
            #expect(sum.load(ordering: .relaxed) == round * 136)
        }
        #expect(crew.map(count: 9) { $0 * $0 } == (0..<9).map { $0 * $0 })
        #expect(crew.map(count: 0) { $0 }.isEmpty)
    }

    /// One crew in each index of a map, which leaves no thread for some of them.
    @Test func crewsStandInMaps() {
        let sums = concurrentMap(count: 8, threads: 3) { i in
            let crew = Crew(threads: 3)
            defer { crew.dismiss() }
            return (0..<20).map { _ in crew.map(count: 10) { $0 + i }.reduce(0, +) }
        }
        #expect(sums == (0..<8).map { i in Array(repeating: 45 + 10 * i, count: 20) })
    }
}
