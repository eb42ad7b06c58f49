/// An address, and the user whose step it is of.
struct AddressKey: Hashable {
    var words: UInt64
    var user: Int
}

/// Rows that the token or the position names.
extension RefinementState {
    /// The offsets of an address vector in a step of `user`, if all superlanes carry the same.
    func addresses(ofSuperlanesOf vector: Int32, user: Int = 0) -> AddressFunction? {
        let parts = superlanes(ofAddress: vector)
        return parts.count == 1 ? addresses(vector, of: parts[0], user: user) : nil
    }

    /// Superlanes whose words are the same in an address vector.
    func superlanes(ofAddress vector: Int32) -> [[Int]] {
        let lanes = numbers.vectors[vector]
        var result: [[Int]] = []
        for superlane in 0..<lanes.count / numbers.superlane {
            let first = superlane * numbers.superlane
            let same = result.firstIndex {
                let other = $0[0] * numbers.superlane
                return lanes[first] == lanes[other] && lanes[first + 1] == lanes[other + 1]
            }
            if let same { result[same].append(superlane) } else { result.append([superlane]) }
        }
        return result
    }

    /// The offsets that an address vector carries in `superlanes`, which are alike.
    func addresses(
        _ vector: Int32, of superlanes: [Int], user: Int = 0
    ) -> AddressFunction? {
        let lanes = numbers.vectors[vector]
        let first = superlanes[0] * numbers.superlane
        guard let low = numbers.wordNumber(lanes[first]),
            let high = numbers.wordNumber(lanes[first + 1])
        else { return nil }
        let ofUser = user > 0 && [low, high].contains(where: numbers.words.dependsOnUser)
        let key = AddressKey(words: low.word | high.word << 32, user: ofUser ? user : 0)
        if let known = addressMemory[key] { return known }
        numbers.words.user = key.user
        defer { numbers.words.user = 0 }
        let function = addresses(low, high)
        addressMemory[key] = function
        return function
    }

    private func addresses(_ low: Int32, _ high: Int32) -> AddressFunction? {
        let words = numbers.words
        let found = Set([low, high].flatMap(words.variables(of:)))
        guard found.count <= 1 else { return nil }
        let variable = found.first ?? .position
        let bytes = zip(words.table(low, over: variable), words.table(high, over: variable))
        return AddressFunction(variable, bytes.map { Int($0 & 255 | ($1 & 255) << 8) })
    }

    /// For each offset that is taken, in ascending order, the positions (a list) at which it is.
    func preimages(_ offsets: AddressFunction) -> [(offset: Int, positions: Int32)] {
        if let known = preimageMemory[offsets] { return known }
        let result = offsets.preimages.sorted { $0.key < $1.key }.map {
            (offset: $0.key, positions: algebra.lists.intern($0.value))
        }
        preimageMemory[offsets] = result
        return result
    }

    /// A row is written at some positions, each time with what another row then held, which was
    /// written at the positions `history`. The position whose write the row holds ever after that
    /// position; nil where there is none.
    func settled(_ positions: Int32, _ history: Int32) -> Int32? {
        let key = positions.word | history.word << 32
        if let known = settledMemory[key] { return known < 0 ? nil : known }
        let (copies, writes) = (algebra.lists[positions], algebra.lists[history])
        let found = last(of: writes, upTo: copies[copies.count - 1])
        let isSettled =
            found.map { position in
                // From that position on every copy, and the first at once, is of that write.
                guard let first = copies.firstIndex(where: { $0 >= position }),
                    copies[first] == position
                else { return false }
                return copies[first...].allSatisfy { last(of: writes, upTo: $0) == position }
            } ?? false
        settledMemory[key] = isSettled ? found ?? -1 : -1
        return isSettled ? found : nil
    }

    private func last(of positions: UnsafeBufferPointer<Int32>, upTo position: Int32) -> Int32? {
        var (low, high) = (0, positions.count)
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] <= position { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? positions[low - 1] : nil
    }
}
