import Foundation

extension UnsafeMutableBufferPointer where Element: BitwiseCopyable {
    /// Memory that is looked up here and there: much of it comes in large pages where the system
    /// has them, which takes fewer faults and fewer walks through its tables.
    static func allocateLarge(capacity: Int) -> Self {
        let (size, page) = (capacity * MemoryLayout<Element>.stride, 1 << 21)
        guard size >= page else { return .allocate(capacity: capacity) }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: page)
        madvise(bytes.baseAddress, size, MADV_HUGEPAGE)
        return bytes.bindMemory(to: Element.self)
    }
}
