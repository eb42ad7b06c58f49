import LPUNumerics

/// What a stream register, an SRAM row or an ALU result holds: a view of one vector of a root
/// value of the program, in 64 bits: root 30, vector 26, view 8.
///
/// Equal terms are equal bytes. Bit 7 is set in every term of the program; the others are
/// nothing, immediates, and bytes that are no vector of the program.
struct Term: Hashable, Sendable {
    var raw: UInt64

    /// Nothing was ever put there.
    static let none = Term(raw: 0)
    /// Wrong, and already reported: what is made of it is not reported again.
    static let reported = Term(raw: 1)
    /// Bytes that the program does not name; to consume them is a violation.
    static let foreign = Term(raw: 2)
    /// The same word in every lane.
    static func immediate(_ bits: UInt32) -> Term { Term(raw: UInt64(bits) << 8 | 0x40) }

    static let maximumRoots = 1 << 30
    static let maximumVectors = 1 << 26

    init(raw: UInt64) { self.raw = raw }

    init(root: Int, vector: Int, view: View) {
        raw =
            UInt64(truncatingIfNeeded: root) << 34
            | (UInt64(truncatingIfNeeded: vector) & 0x3ff_ffff) << 8 | UInt64(view.raw)
    }

    var isOfProgram: Bool { raw & 0x80 != 0 }
    var root: Int { Int(raw >> 34) }
    var vector: Int { Int(raw >> 8 & 0x3ff_ffff) }
    /// The same of the vector after it.
    /// - Requires: it is of the program, and there is one.
    var next: Term { Term(raw: raw &+ 1 << 8) }
    var view: View { View(raw: UInt8(truncatingIfNeeded: raw)) }
}

/// Which bytes of its root's elements a term is.
///
/// Low bits: byte 2, plane 2, code 3, and bit 7. Code 0 is a byte plane of the element; 1...4 the
/// 32-bit word that the VXM widens planes `plane...` to; 5...7 byte `byte` of such a word.
struct View: Hashable, Sendable {
    var raw: UInt8

    init(raw: UInt8) { self.raw = raw }
    init(byte: Int) { raw = 0x80 | UInt8(truncatingIfNeeded: byte & 3) }
    init(word type: ElementType, plane: Int) {
        raw = 0x80 | View.code(type) << 4 | UInt8(truncatingIfNeeded: plane & 3) << 2
    }

    /// fp32 and int32 are one: a word is its bits.
    static func code(_ type: ElementType) -> UInt8 {
        switch type {
        case .fp8: 1
        case .int8: 2
        case .fp16: 3
        case .fp32, .int32: 4
        }
    }

    var code: UInt8 { raw >> 4 & 7 }
    var plane: Int { Int(raw >> 2 & 3) }
    var byte: Int { Int(raw & 3) }
    var isByte: Bool { code == 0 }
    var isWord: Bool { (1...4).contains(code) }
    /// A word that is as wide as its root's element.
    var isWholeWord: Bool { code == 4 }
    /// Byte `b` of this narrow word, widened.
    func widenedByte(_ b: Int) -> View { View(raw: raw + 0x40 | UInt8(truncatingIfNeeded: b & 3)) }
}

extension Term {
    /// The word that `bytes` aligned byte terms from `first` on spell when they are widened as
    /// `type`; nil unless each is the one before with the next plane.
    static func word(_ type: ElementType, _ bytes: UnsafeBufferPointer<Term>) -> Term? {
        guard let first = bytes.first, first.isOfProgram else { return nil }
        let view = first.view
        guard view.byte + bytes.count <= 4 else { return nil }
        for (i, term) in bytes.enumerated() where term.raw != first.raw + UInt64(i) { return nil }
        let word: View
        if view.isByte {
            word = View(word: type, plane: view.byte)
        } else if view.code >= 5 && bytes.count == 4 {
            word = View(raw: (view.raw - 0x40) & ~3)
        } else {
            return nil
        }
        return Term(raw: first.raw & ~0xff | UInt64(word.raw))
    }
}
