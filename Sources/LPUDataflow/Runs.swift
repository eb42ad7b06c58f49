import LPUSupport

/// An element of a list in the text form: `0...3` stands for 0, 1, 2 and 3, `0...6/2` for 0, 2, 4
/// and 6, `7*3` for 7, 7 and 7.
protocol RunElement: Equatable {
    /// How many steps `other` lies behind it in a run, or nil if it lies in none.
    func steps(to other: Self) -> Int?
    /// The element so many steps behind it.
    /// - Requires: it is not behind one that exists.
    func moved(by steps: Int) -> Self
}

extension RunElement where Self: FixedWidthInteger {
    func steps(to other: Self) -> Int? { Int(other) - Int(self) }
    func moved(by steps: Int) -> Self { self + Self(steps) }
}

extension Int16: RunElement {}
extension UInt32: RunElement {}

/// The same vectors of later values.
extension Use: RunElement {
    func steps(to other: Use) -> Int? {
        start == other.start && step == other.step ? other.value.index - value.index : nil
    }
    func moved(by steps: Int) -> Use {
        Use(ValueID(value.index + steps), start: Int(start), step: Int(step))
    }
}

/// Later values of the same instance.
extension Instance.Argument: RunElement {
    func steps(to other: Instance.Argument) -> Int? {
        instance == other.instance ? other.value.index - value.index : nil
    }
    func moved(by steps: Int) -> Instance.Argument {
        Instance.Argument(instance: instance, value: ValueID(value.index + steps))
    }
}

/// A longer run is no list of any machine's lanes, but a slip of whoever wrote it.
private let longestRun = 1 << 16

/// The words of `list`, three and more at one distance as one run.
/// - Complexity: O(list).
func words<Element: RunElement>(
    _ list: some RandomAccessCollection<Element>, _ text: (Element) -> String
) -> [String] {
    var words: [String] = []
    var rest = list[...]
    while let first = rest.first {
        var (last, count) = (first, 1)
        let step = rest.dropFirst().first.flatMap { first.steps(to: $0) }
        if let step, step >= 0 {
            while count < longestRun, let next = rest.dropFirst(count).first,
                last.steps(to: next) == step
            { (last, count) = (next, count + 1) }
        }
        if count < 3 { count = 1 }
        switch (count, step) {
        case (1, _), (_, nil): words.append(text(first))
        case (_, 0?): words.append("\(text(first))*\(count)")
        case (_, 1?): words.append("\(text(first))...\(text(last))")
        case (_, let step?): words.append("\(text(first))...\(text(last))/\(step)")
        }
        rest = rest.dropFirst(count)
    }
    return words
}

/// The elements of a word that `words` wrote, or nil if it is none.
/// - Complexity: O(elements).
func elements<Element: RunElement>(
    of word: Substring, _ parse: (Substring) -> Element?
) -> [Element]? {
    if let star = word.firstIndex(of: "*") {
        guard let element = parse(word[..<star]), let count = Int(word[star...].dropFirst()),
            (1...longestRun).contains(count)
        else { return nil }
        return Array(repeating: element, count: count)
    }
    guard let dots = word.firstRange(of: "...") else { return parse(word).map { [$0] } }
    let end = word[dots.upperBound...]
    let slash = end.firstIndex(of: "/") ?? end.endIndex
    guard let first = parse(word[..<dots.lowerBound]), let last = parse(end[..<slash]),
        let step = slash == end.endIndex ? 1 : Int(end[slash...].dropFirst()), step > 0,
        let steps = first.steps(to: last), steps >= 0, steps % step == 0,
        steps / step < longestRun
    else { return nil }
    return stride(from: 0, through: steps, by: step).map { first.moved(by: $0) }
}
