import Foundation

extension UnsafeMutableBufferPointer {
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

extension UnsafeMutableBufferPointer where Element: BitwiseCopyable {
    /// Zeros in pages of their own, straight from the system: a page that is never touched is never
    /// taken, which an allocator that clears recycled memory does not promise.
    /// - Parameter isLarge: in large pages where the system has them.
    /// - Requires: `capacity` is positive, and all zeros are a value of the type.
    static func zeroedPages(capacity: Int, isLarge: Bool) -> Self {
        let size = capacity * MemoryLayout<Element>.stride
        let pages = mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let pages, pages != MAP_FAILED else { preconditionFailure("no memory is left") }
        if isLarge { madvise(pages, size, MADV_HUGEPAGE) }
        return UnsafeMutableBufferPointer(
            start: pages.bindMemory(to: Element.self, capacity: capacity), count: capacity)
    }

    /// Takes the pages of some elements that will be looked at and then filled: a page of which
    /// zeros were read before it is written costs two faults, and a flush on every processor.
    func takePages(of elements: Range<Int>) {
        guard let base = baseAddress, !elements.isEmpty else { return }
        // MADV_POPULATE_WRITE, which headers before glibc 2.35 lack.
        let (page, populateForWriting) = (1 << 12, Int32(23))
        let start = UnsafeMutableRawPointer(base + elements.lowerBound)
            .alignedDown(toMultipleOf: page)
        let end = UnsafeMutableRawPointer(base + elements.upperBound).alignedUp(toMultipleOf: page)
        // Systems before Linux 5.14 refuse, and take the pages as they come.
        madvise(start, end - start, populateForWriting)
    }

    /// Gives pages back that came from `zeroedPages`.
    func deallocatePages() {
        munmap(baseAddress, count * MemoryLayout<Element>.stride)
    }
}

extension Array {
    /// Room for so many elements, much of it in large pages: memory that is looked up here and
    /// there. Of a long list what is never used is never taken.
    mutating func reserveLarge(_ capacity: Int) {
        reserveCapacity(capacity)
        withUnsafeMutableBufferPointer { elements in
            let page = 1 << 12
            let start = UnsafeMutableRawPointer(elements.baseAddress)?.alignedUp(toMultipleOf: page)
            let size = capacity * MemoryLayout<Element>.stride - page
            if let start, size >= 1 << 21 { madvise(start, size & -page, MADV_HUGEPAGE) }
        }
    }
}
