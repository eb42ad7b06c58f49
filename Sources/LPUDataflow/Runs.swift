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
    /// Steps may be more than `Self` holds, where the first is negative.
    func moved(by steps: Int) -> Self { Self(Int(self) + steps) }
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

extension LineScanner {
    /// Adds the elements that `words` wrote as one word, from the next byte on; `false` where there
    /// are none.
    /// - Complexity: O(elements).
    mutating func readElements<Element: RunElement>(
        into list: inout [Element], _ element: (inout LineScanner) -> Element?
    ) -> Bool {
        guard let first = element(&self) else { return false }
        if takePrefix("*") {
            guard let count = digits(), (1...longestRun).contains(count) else { return false }
            list += repeatElement(first, count: count)
        } else if takePrefix("...") {
            guard let last = element(&self), let step = takePrefix("/") ? digits() : 1, step > 0,
                let steps = first.steps(to: last), steps >= 0, steps % step == 0,
                steps / step < longestRun
            else { return false }
            list += stride(from: 0, through: steps, by: step).map { first.moved(by: $0) }
        } else {
            list.append(first)
        }
        return true
    }
}
