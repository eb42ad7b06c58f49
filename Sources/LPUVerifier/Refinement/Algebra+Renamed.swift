/// Long expressions of other rows of the tensors, which are not written out.
///
/// Of many heads each has a softmax over all positions, and all are one but for the rows of the
/// tensors that they mention. So the first is written out, and another one is called by its number
/// and by where the renaming takes each thing that it mentions: two such names are equal only if
/// what they stand for is. What is written out after all is looked for among them.
final class LongForms {
    fileprivate var covectors = Names()
    fileprivate var sums = Names()
    fileprivate var maxima = Names()
    /// The name of a sum that is written out, or itself and how many names there were then.
    fileprivate var namesOfSums: [Int32: (name: Int32, of: Int)] = [:]

    /// Columns, terms or members from which on a name is worth it.
    static let length = 32

    /// The renamed forms of one kind.
    fileprivate struct Names {
        /// By name: a column, a term's monomial or a member of it.
        private(set) var samples: [Int32: Int32] = [:]
        /// By length and sample.
        private var bySample: [Int: [Int32: [Int32]]] = [:]
        /// Written out.
        var written: [Int32: Int32] = [:]

        var count: Int { samples.count }

        mutating func note(_ name: Int32, sample: Int32, length: Int) {
            guard samples[name] == nil else { return }
            samples[name] = sample
            bySample[length, default: [:]][sample, default: []].append(name)
        }

        /// Those of a length, by sample.
        func having(length: Int) -> [Int32: [Int32]] { bySample[length] ?? [:] }
    }
}

extension Algebra {
    // MARK: Covectors

    /// What a covector is the renamed form of: the first one, and a list of its number and of where
    /// everything in its support goes, the shift of each axis of a tensor or the head of a cache.
    func renamedForm(ofCovector covector: Int32) -> (base: Int32, key: Int32)? {
        let runs = covectors[covector]
        return runs.count == 1 && runs[0].start < 0 ? (runs[0].end, runs[0].polynomial) : nil
    }

    /// The columns, written out.
    func columns(of covector: Int32) -> UnsafeBufferPointer<Run> {
        guard let form = renamedForm(ofCovector: covector) else { return covectors[covector] }
        if let known = longForms.covectors.written[covector] { return covectors[known] }
        let renaming = Renaming(form.key, ofSupport: support(covector: form.base), self)
        let written = renaming.written(covector: form.base)
        longForms.covectors.written[covector] = written
        return covectors[written]
    }

    /// `true` iff a covector is long, and its renamed forms need no other order or factor.
    func mayBeNamed(covector: Int32) -> Bool {
        let runs = covectors[covector]
        return runs.count >= LongForms.length && keepsForm(support(covector: covector))
            && runs.allSatisfy { polynomials[$0.polynomial].count == 1 }
    }

    /// The first column of one that is renamed or may be.
    func sample(ofCovector covector: Int32) -> Int32 {
        longForms.covectors.samples[covector] ?? covectors[covector][0].polynomial
    }

    /// - Parameter sample: the renamed first column.
    func renamed(covector base: Int32, _ key: [Int32], sample: Int32) -> Int32 {
        let name = covectors.intern(Run(start: -1, end: base, polynomial: lists.intern(key)))
        longForms.covectors.note(name, sample: sample, length: covectors[base].count)
        return name
    }

    /// The name of a covector that was written out, or itself.
    func named(covector: Int32) -> Int32 {
        let runs = covectors[covector]
        guard runs.count >= LongForms.length else { return covector }
        let names = longForms.covectors.having(length: runs.count)[runs[0].polynomial] ?? []
        return names.first { columns(of: $0).baseAddress == runs.baseAddress } ?? covector
    }

    // MARK: Sums under a root

    /// The atom of a sum that stands under a root.
    func root(of polynomial: Int32) -> Int32 { atom(.sum, named(sum: polynomial)) }

    func mayBeNamed(sum: Int32) -> Bool {
        polynomials[sum].count >= LongForms.length && keepsForm(support(sum))
            && polynomials[sum].allSatisfy { $0.coefficient == 0 }
    }

    /// A monomial of one that is renamed or may be.
    func sample(ofPolynomial polynomial: Int32) -> Int32 {
        longForms.sums.samples[polynomial] ?? polynomials[polynomial][0].monomial
    }

    /// - Parameter sample: the renamed monomial.
    func renamed(polynomial base: Int32, _ key: [Int32], sample: Int32) -> Int32 {
        let name = polynomial(.renamed, base, lists.intern(key))
        longForms.sums.note(name, sample: sample, length: polynomials[base].count)
        return name
    }

    func written(polynomial name: Int32, _ key: Int32) -> Int32 {
        if let known = longForms.sums.written[name] { return known }
        let base = lists[key][0]
        let written = Renaming(key, ofSupport: support(base), self).written(polynomial: base)
        longForms.sums.written[name] = written
        return written
    }

    /// The name of a long sum, or itself.
    private func named(sum: Int32) -> Int32 {
        let terms = polynomials[sum]
        let count = longForms.sums.count
        guard terms.count >= LongForms.length, count > 0, !isFree(sum) else { return sum }
        if let known = longForms.namesOfSums[sum], known.name != sum || known.of == count {
            return known.name
        }
        let bySample = longForms.sums.having(length: terms.count)
        let names = terms.lazy.flatMap { bySample[$0.monomial] ?? [] }
        let name = names.first { name in
            self.onlyAtom(name).map { self.written(polynomial: name, $0.b) == sum } ?? false
        }
        longForms.namesOfSums[sum] = (name ?? sum, count)
        return name ?? sum
    }

    // MARK: Maxima

    /// The greatest of numbers.
    /// - Requires: members are in ascending order, no two equal.
    func maximum(of members: [Int32]) -> Int32 {
        members.count == 1
            ? members[0] : polynomial(.maximum, named(members: lists.intern(members)))
    }

    /// What the members of a maximum are the renamed form of: as for a covector.
    func renamedForm(ofMembers list: Int32) -> (base: Int32, key: Int32)? {
        let items = lists[list]
        return items[0] < 0 ? (items[1], items[2]) : nil
    }

    /// The members of a maximum, written out.
    func members(_ list: Int32) -> UnsafeBufferPointer<Int32> {
        guard let form = renamedForm(ofMembers: list) else { return lists[list] }
        if let known = longForms.maxima.written[list] { return lists[known] }
        let renaming = Renaming(form.key, ofSupport: support(members: form.base), self)
        let written = renaming.written(members: form.base)
        longForms.maxima.written[list] = written
        return lists[written]
    }

    /// `true` iff they are many, and their renamed forms have the form of these.
    func mayBeNamed(members list: Int32) -> Bool {
        lists[list].count >= LongForms.length && keepsForm(support(members: list))
    }

    /// A member of what is renamed or may be: not one that many have, such as minus infinity.
    func sample(ofMembers list: Int32) -> Int32 {
        longForms.maxima.samples[list] ?? lists[list].first { !isFree($0) } ?? lists[list][0]
    }

    /// - Parameter sample: the renamed first member.
    func renamed(members base: Int32, _ key: [Int32], sample: Int32) -> Int32 {
        let name = lists.intern([-1, base, lists.intern(key)])
        longForms.maxima.note(name, sample: sample, length: lists[base].count)
        return name
    }

    /// The name of members that were written out, or themselves.
    private func named(members list: Int32) -> Int32 {
        let members = lists[list]
        guard members.count >= LongForms.length else { return list }
        let bySample = longForms.maxima.having(length: members.count)
        if bySample.isEmpty { return list }
        let names = members.lazy.flatMap { bySample[$0] ?? [] }
        return names.first { self.members($0).baseAddress == members.baseAddress } ?? list
    }
}
