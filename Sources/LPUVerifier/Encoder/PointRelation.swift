/// What vectors are to the states of the graph, lane by lane.
struct PointRelation: Hashable {
    /// For each lane what it is of which element, or 0.
    var lanes: [Element]
    /// For each vector, whether the machine holds integers.
    var areIntegers: [Bool]

    enum Element: Hashable {
        case zero
        /// So many times the element, or that less what a cast drops of it, or what it drops.
        case times(Int, Int)
        case rounded(Int, PrimeField.Draw, Int)
        case dropped(Int, PrimeField.Draw, Int)
    }
}

/// Finds what vectors are to some states: powers of two times them, and the terms of those.
struct PointRelations {
    private let states: [UInt32]
    private static let exponents = [0] + (1...8).flatMap { [$0, -$0] }

    init(states: [UInt32]) { self.states = states }

    /// nil where a lane is nothing of the kind, or all are constants.
    func relation(of vectors: [PointVector]) -> PointRelation? {
        guard vectors.allSatisfy({ $0.words == nil && $0.note == nil }) else { return nil }
        return elements(of: vectors).map {
            PointRelation(lanes: $0, areIntegers: vectors.map(\.isInteger))
        }
    }

    private func elements(of vectors: [PointVector]) -> [PointRelation.Element]? {
        let numbers = vectors.flatMap(\.numbers)
        guard let first = numbers.first(where: { $0 != 0 }) else { return nil }
        for exponent in Self.exponents {
            let factor = PrimeField.power(2, UInt64((exponent + 31) % 31))
            let scaled = states.map { PrimeField.multiply($0, factor) }
            if scaled.contains(first) {
                return lookUp(numbers, scaled) { .times(exponent, $0) }
            }
            for draw in [PrimeField.Draw.roundingToFP8, .roundingToFP16, .roundingToInt8] {
                let dropped = scaled.map { PrimeField.drawn(draw, UInt64($0)) }
                // The second term of int8 is 256 times it.
                let finer: UInt32 = draw == .roundingToInt8 ? 256 : 1
                let second = dropped.map { PrimeField.multiply($0, finer) }
                if second.contains(first) {
                    return lookUp(numbers, second) { .dropped(exponent, draw, $0) }
                }
                let rounded = zip(scaled, dropped).map(PrimeField.subtract)
                if rounded.contains(first) {
                    return lookUp(numbers, rounded) { .rounded(exponent, draw, $0) }
                }
            }
        }
        return nil
    }

    private func lookUp(
        _ numbers: [UInt32], _ candidates: [UInt32], _ element: (Int) -> PointRelation.Element
    ) -> [PointRelation.Element]? {
        var places: [UInt32: Int] = [:]
        for (i, candidate) in candidates.enumerated() { places[candidate] = i }
        var lanes: [PointRelation.Element] = []
        for number in numbers {
            if number == 0 {
                lanes.append(.zero)
            } else if let place = places[number] {
                lanes.append(element(place))
            } else {
                return nil
            }
        }
        return lanes
    }
}
