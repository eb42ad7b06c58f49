/// Long expressions of other rows of the tensors, which are not written out.
///
/// Of many heads each has a softmax over all positions, and all are one but for the rows of the
/// tensors that they mention. So the first is written out, and another one is called by its number
/// and by where the renaming takes each thing that it mentions: two such names are equal only if
/// what they stand for is. What is written out after all is looked for among them.
final class LongForms {
    /// By a renamed covector, its first column; by a renamed polynomial, a term of it.
    fileprivate var samples: [Int32: Int32] = [:]
    fileprivate var terms: [Int32: Int32] = [:]
    /// By length and sample.
    fileprivate var covectorsBySample: [UInt64: [Int32]] = [:]
    fileprivate var sumsByTerm: [UInt64: [Int32]] = [:]
    /// Written out.
    fileprivate var writtenCovectors: [Int32: Int32] = [:]
    fileprivate var writtenPolynomials: [Int32: Int32] = [:]
    /// The name of what is written out, or itself and how many names there were then.
    fileprivate var sums: [Int32: (name: Int32, of: Int)] = [:]

    /// Columns or terms from which on a name is worth it.
    static let length = 32
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
        if let known = longForms.writtenCovectors[covector] { return covectors[known] }
        let renaming = Renaming(form.key, ofSupport: support(covector: form.base), self)
        let written = renaming.written(covector: form.base)
        longForms.writtenCovectors[covector] = written
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
        longForms.samples[covector] ?? covectors[covector][0].polynomial
    }

    /// - Parameter sample: the renamed first column.
    func renamed(covector base: Int32, _ key: [Int32], sample: Int32) -> Int32 {
        let name = covectors.intern(Run(start: -1, end: base, polynomial: lists.intern(key)))
        if longForms.samples[name] == nil {
            longForms.samples[name] = sample
            let index = covectors[base].count.word(sample)
            longForms.covectorsBySample[index, default: []].append(name)
        }
        return name
    }

    /// The name of a covector that was written out, or itself.
    func named(covector: Int32) -> Int32 {
        let runs = covectors[covector]
        guard runs.count >= LongForms.length else { return covector }
        let names = longForms.covectorsBySample[runs.count.word(runs[0].polynomial)] ?? []
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
        longForms.terms[polynomial] ?? polynomials[polynomial][0].monomial
    }

    /// - Parameter sample: the renamed monomial.
    func renamed(polynomial base: Int32, _ key: [Int32], sample: Int32) -> Int32 {
        let name = polynomial(.renamed, base, lists.intern(key))
        if longForms.terms[name] == nil {
            longForms.terms[name] = sample
            let index = polynomials[base].count.word(sample)
            longForms.sumsByTerm[index, default: []].append(name)
        }
        return name
    }

    func written(polynomial name: Int32, _ key: Int32) -> Int32 {
        if let known = longForms.writtenPolynomials[name] { return known }
        let base = lists[key][0]
        let written = Renaming(key, ofSupport: support(base), self).written(polynomial: base)
        longForms.writtenPolynomials[name] = written
        return written
    }

    /// The name of a long sum, or itself.
    private func named(sum: Int32) -> Int32 {
        let terms = polynomials[sum]
        let count = longForms.terms.count
        guard terms.count >= LongForms.length, count > 0, !isFree(sum) else { return sum }
        if let known = longForms.sums[sum], known.name != sum || known.of == count {
            return known.name
        }
        let names = terms.lazy.compactMap {
            self.longForms.sumsByTerm[terms.count.word($0.monomial)]
        }.joined()
        let name = names.first { name in
            self.onlyAtom(name).map { self.written(polynomial: name, $0.b) == sum } ?? false
        }
        longForms.sums[sum] = (name ?? sum, count)
        return name ?? sum
    }
}

extension Int {
    fileprivate func word(_ sample: Int32) -> UInt64 { UInt64(self) << 32 | sample.word }
}
