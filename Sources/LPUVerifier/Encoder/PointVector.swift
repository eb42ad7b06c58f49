import LPUNumerics

/// What a vector of an encoder's program holds at the point where it is evaluated.
struct PointVector {
    enum Lanes {
        /// Bits that depend on no weight, widened to words.
        case words([UInt32])
        /// Numbers of the field.
        case numbers([UInt32])
    }

    /// What is known of numbers beside their values, lane by lane.
    enum Note {
        /// The greatest of so many: the sum of their draws.
        case greatest(of: [UInt32])
        /// Something less the greatest of several.
        case below(of: [UInt32], minuend: [UInt32])
        /// 1 over the root of something.
        case root(of: [UInt32])
    }

    var lanes: Lanes
    var note: Note?
    /// The machine holds the numbers as int8 or int32: their bits are no fp32.
    var isInteger = false

    init(words: [UInt32]) { lanes = .words(words) }
    init(numbers: [UInt32], _ note: Note? = nil, isInteger: Bool = false) {
        lanes = .numbers(numbers)
        self.note = note
        self.isInteger = isInteger
    }

    /// As numbers of the field that bits of the kind stand for; nil for bits of the other one.
    func numbers(isInteger: Bool) -> [UInt32]? {
        guard isInteger, let words else {
            return isInteger == self.isInteger || words != nil ? numbers : nil
        }
        return words.map { PrimeField.number(Int32(bitPattern: $0)) }
    }

    /// As numbers of the field: those of words as fp32.
    var numbers: [UInt32] {
        switch lanes {
        case .numbers(let numbers): return numbers
        case .words(let words):
            // Neighbours are mostly the same.
            var known: (bits: UInt32, number: UInt32) = (0, 0)
            return words.map { bits in
                if bits != known.bits {
                    known = (bits, PrimeField.number(Float(bitPattern: bits)))
                }
                return known.number
            }
        }
    }

    var words: [UInt32]? {
        switch lanes {
        case .words(let words): words
        case .numbers: nil
        }
    }

    /// The draws of what it is the greatest of: of itself, if of nothing else.
    var members: [UInt32] {
        if case .greatest(let members)? = note { return members }
        return numbers.map { PrimeField.drawn(.member, UInt64($0)) }
    }
}
