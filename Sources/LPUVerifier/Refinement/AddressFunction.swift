/// An integer for every token or position: pieces that step by one number.
struct AddressFunction: Hashable {
    struct Piece: Hashable {
        var start: Int
        var count: Int
        var value: Int
        var step: Int

        func value(at index: Int) -> Int { value + (index - start) * step }
    }
    var variable: WordVariable
    private(set) var pieces: [Piece] = []

    /// - Parameter values: one for every token or position.
    init(_ variable: WordVariable, _ values: [Int]) {
        self.variable = variable
        for (index, value) in values.enumerated() {
            guard let last = pieces.last else {
                pieces.append(Piece(start: index, count: 1, value: value, step: 0))
                continue
            }
            let step = value - last.value(at: index - 1)
            if last.count == 1 || step == last.step, abs(step) <= 1 {
                pieces[pieces.count - 1].step = step
                pieces[pieces.count - 1].count += 1
            } else {
                pieces.append(Piece(start: index, count: 1, value: value, step: 0))
            }
        }
    }

    var count: Int { pieces.last.map { $0.start + $0.count } ?? 0 }

    /// The one value, if there is but one.
    var only: Int? { pieces.count == 1 && pieces[0].step == 0 ? pieces[0].value : nil }

    /// The greatest value.
    var maximum: Int {
        pieces.map { max($0.value, $0.value(at: $0.start + $0.count - 1)) }.max() ?? 0
    }

    var values: [Int] {
        pieces.flatMap { piece in
            (piece.start..<piece.start + piece.count).map { piece.value(at: $0) }
        }
    }

    /// For each value, in ascending order, where it is taken.
    var preimages: [Int: [Int32]] {
        var result: [Int: [Int32]] = [:]
        for piece in pieces {
            for index in piece.start..<piece.start + piece.count {
                result[piece.value(at: index), default: []].append(Int32(index))
            }
        }
        return result
    }
}
