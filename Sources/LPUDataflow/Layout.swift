/// An integer function of an index in mixed radix: the index is split into digits, the first
/// counting fastest, and each digit is multiplied by its stride.
public struct DigitSum: Hashable, Sendable {
    public struct Digit: Hashable, Sendable {
        /// How many values the digit has; 0 on the last one where it takes the rest, else dropped.
        public var radix: Int
        public var stride: Int
        public init(radix: Int, stride: Int) {
            self.radix = radix
            self.stride = stride
        }
    }
    public var digits: [Digit]
    public init(_ digits: [Digit]) { self.digits = digits }

    /// index * stride.
    public static func linear(_ stride: Int) -> DigitSum {
        DigitSum([Digit(radix: 0, stride: stride)])
    }
    /// 0 for every index.
    public static var zero: DigitSum { DigitSum([]) }

    /// - Requires: index >= 0. O(digits).
    public func callAsFunction(_ index: Int) -> Int {
        var rest = index
        var sum = 0
        for digit in digits {
            if digit.radix == 0 { return sum + rest * digit.stride }
            sum += rest % digit.radix * digit.stride
            rest /= digit.radix
        }
        return sum
    }
}

/// A rectangle of vectors and lanes that holds tensor elements: coordinate d of the element at
/// vector v, lane l is `base[d] + vector[d](v - vectors.lowerBound)
/// + lane[d](l - lanes.lowerBound)`.
public struct Piece: Hashable, Sendable {
    public var vectors: Range<Int>
    public var lanes: Range<Int>
    public var base: [Int]
    public var vector: [DigitSum]
    public var lane: [DigitSum]
    public init(
        vectors: Range<Int>, lanes: Range<Int>, base: [Int], vector: [DigitSum], lane: [DigitSum]
    ) {
        self.vectors = vectors
        self.lanes = lanes
        self.base = base
        self.vector = vector
        self.lane = lane
    }

    /// The element at (vector, lane). - Requires: it is in the rectangle.
    public func element(vector v: Int, lane l: Int) -> [Int] {
        base.indices.map {
            base[$0] + vector[$0](v - vectors.lowerBound) + lane[$0](l - lanes.lowerBound)
        }
    }
}

/// Which element of a tensor every (vector, lane) of a value holds; zero outside the pieces, which
/// do not overlap.
public struct Layout: Hashable, Sendable {
    /// Name in the model graph or the weights; `$layer` stands for the instance's layer, `$next`
    /// for the one after it.
    public var tensor: String
    public var pieces: [Piece]
    public init(tensor: String, pieces: [Piece]) {
        self.tensor = tensor
        self.pieces = pieces
    }
}

/// What an image value holds.
public enum Formula: Hashable, Sendable {
    /// Elements of a weight tensor times `factor`, times the element of the vector `columnScale`
    /// (a tensor) at the element's last coordinate; quantised to the value's type with a scale per
    /// output channel (the first coordinate) where the type is fp8 or int8.
    case weights(Layout, factor: Float, columnScale: String?)
    /// The scales that `weights` of the same tensor were quantised by, times `factor`: fp32, the
    /// element's first coordinate names the channel.
    case scales(Layout, factor: Float, columnScale: String?)
    /// In every element the greatest of all scales of that quantisation of a tensor, times
    /// `factor`: fp32.
    case greatestScale(String, factor: Float, columnScale: String?)
    /// Bit pattern of one element in a rectangle of vectors and lanes, zero elsewhere.
    case constant(bits: UInt32, vectors: Range<Int>, lanes: Range<Int>)
    /// Bit pattern `bits` where lane and vector + offset are equal modulo `period`, zero elsewhere:
    /// identity rows (period = lanes), one lane of each superlane (period = its lanes).
    case diagonal(bits: UInt32, offset: Int, period: Int)
    /// Element = bits[(vector * stride + lane / run) mod bits.count].
    case table(bits: [UInt32], stride: Int, run: Int)
    /// RoPE: cosine or sine of position * frequency[lane's pair] in binary64, rounded to fp32.
    case rotary(Rotary)
    /// All bytes zero: caches and trash rows.
    case zero
}

/// One row of cosines or signed sines a position; lane l of a head belongs to pair l / 2.
public struct Rotary: Hashable, Sendable {
    /// Bit patterns of the inverse frequencies in binary64, one a pair of dimensions.
    public var inverseFrequencies: [UInt64]
    /// The sine, negative in the even lane of a pair, instead of the cosine in both.
    public var isSine: Bool
    /// Row v of the table is for position v * positionStep.
    public var positionStep: Int
    /// Heads side by side, 2 * pairs lanes each; the lanes beyond them are zero.
    public var heads: Int
    public init(inverseFrequencies: [UInt64], isSine: Bool, positionStep: Int, heads: Int) {
        self.inverseFrequencies = inverseFrequencies
        self.isSine = isSine
        self.positionStep = positionStep
        self.heads = heads
    }
}
