/// Numbers modulo the prime 2^31 - 1, at which law 16 evaluates the program and the graph of an
/// encoder: expressions that are equal are equal there, and others are with a chance of about
/// their degree in 2^31 (Schwartz 1980, Zippel 1979).
///
/// What is no polynomial, a root, an exponential, a rounding, is a number drawn by a hash of what
/// it is taken of: so equal ones are equal, and nothing else is assumed of them.
enum PrimeField {
    static let prime: UInt64 = 0x7fff_ffff

    /// - Requires: below 2^62.
    @inline(__always) static func reduced(_ x: UInt64) -> UInt32 {
        var rest = (x & prime) &+ (x &>> 31)
        rest = (rest & prime) &+ (rest &>> 31)
        return UInt32(truncatingIfNeeded: rest == prime ? 0 : rest)
    }

    @inline(__always) static func add(_ a: UInt32, _ b: UInt32) -> UInt32 {
        reduced(UInt64(a) &+ UInt64(b))
    }

    @inline(__always) static func negated(_ a: UInt32) -> UInt32 {
        a == 0 ? 0 : UInt32(truncatingIfNeeded: prime) &- a
    }

    @inline(__always) static func subtract(_ a: UInt32, _ b: UInt32) -> UInt32 {
        add(a, negated(b))
    }

    @inline(__always) static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
        reduced(UInt64(a) &* UInt64(b))
    }

    static func power(_ base: UInt32, _ exponent: UInt64) -> UInt32 {
        var (result, square, rest): (UInt32, UInt32, UInt64) = (1, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    /// 1/a, and 0 for 0.
    static func inverse(_ a: UInt32) -> UInt32 { power(a, prime - 2) }

    /// The sum of products of `count` elements.
    @inline(__always) static func dot(
        _ a: UnsafePointer<UInt32>, _ b: UnsafePointer<UInt32>, count: Int
    ) -> UInt32 {
        var sum: UInt64 = 0
        for i in 0..<count {
            let product = UInt64(a[i]) &* UInt64(b[i])
            sum &+= (product & prime) &+ (product &>> 31)
        }
        return reduced(sum)
    }

    // MARK: Numbers of a program

    /// A float's value. One that is the nearest to 1/k times a power of two, for an odd k below
    /// 8192, is taken for that.
    static func number(_ float: Float) -> UInt32 {
        guard float.isFinite, float != 0 else { return 0 }
        let significand = float.significand
        var exponent = Int(float.exponent)
        var number: UInt32 = 0
        for bits in 1...13 {
            let k = (Float(1 << bits) / significand).rounded()
            guard k > 1, k < 8192, Int(k) % 2 == 1, (1 / k).significand == significand else {
                continue
            }
            number = inverse(UInt32(k))
            exponent -= Int((1 / k).exponent)
            break
        }
        if number == 0 {
            number = UInt32(significand * 0x1p23)
            exponent -= 23
        }
        // 2^31 is 1.
        let shift = UInt64((exponent % 31 + 31) % 31)
        number = multiply(number, power(2, shift))
        return float.sign == .minus ? negated(number) : number
    }

    static func number(_ integer: Int32) -> UInt32 {
        let magnitude = reduced(UInt64(integer.magnitude))
        return integer < 0 ? negated(magnitude) : magnitude
    }

    // MARK: Hashes

    /// Of what a number is drawn.
    enum Draw: UInt64 {
        case weight, scale, root, exponential, tanh, least, positivePart, member, greatest
        case roundingToFP16, roundingToFP8, roundingToInt8, byte, unknown
    }

    /// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014).
    @inline(__always) private static func mixed(_ x: UInt64) -> UInt64 {
        var z = x &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    @inline(__always) static func drawn(_ draw: Draw, _ a: UInt64, _ b: UInt64 = 0) -> UInt32 {
        reduced(mixed(mixed(mixed(draw.rawValue) ^ a) ^ b) &>> 2)
    }

    static func hash(_ name: String, seed: UInt64 = 0) -> UInt64 {
        name.utf8.reduce(seed) { mixed($0 ^ UInt64($1)) }
    }
}
