public import LPUMachine
public import LPUSupport

/// Rows of one slice that hold one byte plane of a value for some time: an entry of the SRAM map.
///
/// Row i (0..<rows) of it holds vector
/// `first + (i % run) * innerStride + (i / run) * outerStride` of the value, so that weights
/// striped over 16 slices and dealt out to the planes in turn are one entry a slice.
@frozen public struct Allocation: Hashable, Sendable {
    public var value: ValueID
    /// Which byte of the element: 0 is the low one.
    public var plane: UInt8
    public var hemisphere: Hemisphere
    public var slice: UInt8
    public var base: RowAddress
    public var rows: Int32
    public var first: Int32
    public var run: Int32
    public var innerStride: Int32
    public var outerStride: Int32
    /// From when the rows may be written, or 0, to the cycle after their last read.
    public var live: Range<Cycle>
    /// `true` iff the rows hold the value before cycle 0, from the memory image.
    public var isImage: Bool

    public init(
        value: ValueID, plane: Int, hemisphere: Hemisphere, slice: Int, base: RowAddress,
        rows: Int, first: Int, run: Int, innerStride: Int, outerStride: Int, live: Range<Cycle>,
        isImage: Bool
    ) {
        self.value = value
        self.plane = UInt8(plane)
        self.hemisphere = hemisphere
        self.slice = UInt8(slice)
        self.base = base
        self.rows = Int32(rows)
        self.first = Int32(first)
        self.run = Int32(run)
        self.innerStride = Int32(innerStride)
        self.outerStride = Int32(outerStride)
        self.live = live
        self.isImage = isImage
    }

    /// The vector that row `i` of the entry holds.
    @inlinable public func vector(ofRow i: Int) -> Int {
        let (outer, inner) = i.quotientAndRemainder(dividingBy: Int(run))
        return Int(first) + inner * Int(innerStride) + outer * Int(outerStride)
    }
}
