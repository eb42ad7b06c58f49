import LPUNumerics

/// Expressions in words, cut short.
extension LaneAlgebra {
    func describe(_ lane: Lane, depth: Int = 2) -> String {
        if lane == .zero { return "0" }
        guard let word = lane.wordNumber else { return describe(lane.raw, depth: depth) }
        if let bits = words.bits(word) {
            let number = Float(bitPattern: bits)
            return number.isNormal ? "\(number)" : "\(Int32(bitPattern: bits))"
        }
        return switch words.variable(of: word) {
        case .token: "a function of the token"
        case .position: "a function of the position"
        case nil:
            words.dependsOnUser(word)
                ? "a function of the user" : "a function of token and position"
        }
    }

    func describe(_ polynomial: Int32, depth: Int = 2) -> String {
        let terms = algebra.polynomials[polynomial]
        if terms.isEmpty { return "0" }
        let shown = terms.prefix(2).map { term -> String in
            let coefficient = algebra.reals[term.coefficient]
            let factors = algebra.monomials[term.monomial].map { factor -> String in
                let text = describe(algebra.atoms[factor.atom], depth: depth)
                return factor.halves == 2 ? text : "\(text)^\(Double(factor.halves) / 2)"
            }
            if factors.isEmpty { return "\(coefficient)" }
            let product =
                factors.prefix(4).joined(separator: " · ")
                + (factors.count > 4 ? " · ..." : "")
            return coefficient == 1 ? product : "\(coefficient) · \(product)"
        }.joined(separator: " + ")
        return terms.count > 2 ? "\(shown) + \(terms.count - 2) more" : shown
    }

    private func describe(_ atom: Atom, depth: Int) -> String {
        func inner(_ polynomial: Int32) -> String {
            depth > 0 ? describe(polynomial, depth: depth - 1) : "..."
        }
        func name(_ number: Int32) -> String {
            number >= 0 ? algebra.names[Int(number)] : "?"
        }
        let list = { (id: Int32) in Array(self.algebra.lists[id]) }
        switch atom.kind {
        case .weight:
            let element = list(atom.a)
            return "\(name(element[0]))\(element.dropFirst().map(Int.init))"
        case .named:
            let layer = atom.b == 0 ? "" : " after \(atom.b)"
            return "\(name(atom.a))\(layer)[\(atom.c)]"
        case .contraction: return describe(slot: atom.a, atom.b, depth: depth)
        case .chosen:
            let element = list(atom.a)
            return "\(name(element[0]))[token, \(element[1])]"
        case .tokens: return "[token in \(describe(set: atom.a))]"
        case .quantum:
            let channel =
                switch atom.b {
                case Quantum.ofToken: "token"
                case Quantum.greatest: "greatest"
                default: "\(atom.b)"
                }
            return "scale[\(channel)] of \(name(list(atom.a)[0]))"
        case .trigonometric:
            let steps = list(atom.c)
            let isPosition = steps.enumerated().allSatisfy { $0 == Int($1) }
            let bits = list(atom.b)
            let frequency = Double(
                bitPattern: UInt64(UInt32(bitPattern: bits[0]))
                    | UInt64(UInt32(bitPattern: bits[1])) << 32)
            let first = steps.prefix(3).map(String.init).joined(separator: ", ")
            let shown = isPosition ? "position" : "(\(first), ... by position)"
            return "\(atom.a == 1 ? "sin" : "cos")(\(Float(frequency)) \(shown))"
        case .indicator: return "[position in \(describe(set: atom.a))]"
        case .exponential: return "exp(\(inner(atom.a)))"
        case .tanh: return "tanh(\(inner(atom.a)))"
        case .absolute: return "|\(inner(atom.a))|"
        case .carried: return "a number of layer \(atom.b)"
        case .magnitude: return "op\(atom.a)'s sum of magnitudes"
        case .sum: return "(\(inner(atom.a)))"
        case .maximum: return "the greatest of \(algebra.members(atom.a).count) numbers"
        case .guarded: return "\(inner(atom.a)) seen at \(describe(set: atom.b))"
        case .rest: return "what rounding left of \(inner(atom.a))"
        case .integer: return "\(inner(atom.a)) as an integer"
        case .recent: return "\(inner(atom.a)) of an earlier step"
        case .stored: return "\(inner(atom.a)) of position \(atom.b)"
        case .word: return describe(Lane(wordNumber: atom.a), depth: depth)
        case .operation:
            let names = ALUOperation.allCases
            let name = atom.a >= 0 ? names[Int(atom.a)].rawValue : "a product"
            let a = depth > 0 ? describe(Lane(raw: atom.b), depth: depth - 1) : "..."
            let b = depth > 0 ? describe(Lane(raw: atom.c), depth: depth - 1) : "..."
            return "\(name)(\(a), \(b))"
        case .byte: return "byte \(atom.a) of \(describe(Lane(raw: atom.b), depth: depth))"
        case .argument:
            return "the index of the greatest of \((candidates(atom.a)?.count ?? 0) / 2) numbers"
        case .unknown: return "<\(name(atom.a))>"
        case .renamed: return "\(inner(atom.a)) of other rows"
        }
    }

    private func describe(slot: Int32, _ covector: Int32, depth: Int) -> String {
        let row = algebra.lists[slot]
        var coordinates = row.dropFirst(2).map { "\($0)" }
        let runs = algebra.columns(of: covector)
        let range = runs.isEmpty ? "" : "\(runs[0].start)..<\(runs[runs.count - 1].end)"
        coordinates.insert(range, at: Int(row[1]))
        let columns = algebra.width(covector)
        let first =
            depth > 0 && !runs.isEmpty
            ? ", the first times \(describe(runs[0].polynomial, depth: depth - 1))" : ""
        return "sum over \(columns) of \(algebra.names[Int(row[0])])"
            + "[\(coordinates.joined(separator: ", "))]\(first)"
    }

    private func describe(set: Int32) -> String {
        let bounds = algebra.lists[set]
        if bounds.isEmpty { return "none" }
        return stride(from: 0, to: min(bounds.count, 6), by: 2).map {
            "\(bounds[$0])..<\(bounds[$0 + 1])"
        }.joined(separator: " ")
    }
}
