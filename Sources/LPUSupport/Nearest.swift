/// The candidate with the fewest edits to `word`, the earliest of equals; nil if none is near.
///
/// Edits are Levenshtein's; near means fewer than half of the word's letters.
/// - Complexity: O(candidates · word · candidate).
public func nearest(to word: some StringProtocol, in candidates: [String]) -> String? {
    let word = Array(word.utf8.prefix(100))
    var best: (name: String, edits: Int)?
    for candidate in candidates {
        let edits = editDistance(word, Array(candidate.utf8))
        if edits < best?.edits ?? (word.count + 1) / 2 { best = (candidate, edits) }
    }
    return best?.name
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in b.enumerated() {
            let edits = Swift.min(diagonal + (x == y ? 0 : 1), row[j] + 1, row[j + 1] + 1)
            diagonal = row[j + 1]
            row[j + 1] = edits
        }
    }
    return row[b.count]
}
