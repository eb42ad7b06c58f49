import CGraphviz
public import LPUSupport
import Synchronization

extension Drawing {
    /// What libgraphviz makes of a drawing.
    public enum Format: String, Hashable, Sendable, CaseIterable {
        case svg
        /// 144 dots an inch: a width of 800 points is 1600 pixels.
        case png
    }

    /// The whole file in memory; nothing is written anywhere.
    ///
    /// The library keeps global state, so that calls from several threads wait for each other.
    /// - Throws: `graphviz` with the library's own words, where this host's installation lacks an
    ///   engine, a format or memory.
    public func rendered(as format: Format) throws(DiagnosticSet) -> [UInt8] {
        let text = dot
        let result = library.withLock { _ -> Result<[UInt8], DiagnosticSet> in
            messages.withLock { $0 = "" }
            let previous = agseterrf(collectMessage)
            defer { agseterrf(previous) }
            if let bytes = laidOut(text, as: format) { return .success(bytes) }
            return .failure(failure(format))
        }
        return try result.get()
    }

    /// `nil` where the library refuses.
    private func laidOut(_ text: String, as format: Format) -> [UInt8]? {
        guard let context = gvContext() else { return nil }
        defer { gvFreeContext(context) }
        guard let graph = agmemread(text) else { return nil }
        defer { agclose(graph) }
        switch format {
        case .svg: break
        // Not in the text: graphviz 2.42 clips SVG files of other resolutions than its own.
        case .png: setDefault("dpi", "144", of: graph)
        }
        guard gvLayout(context, graph, engine) == 0 else { return nil }
        defer { gvFreeLayout(context, graph) }
        var data: UnsafeMutablePointer<CChar>?
        var count: UInt32 = 0
        let status = gvRenderData(context, graph, format.rawValue, &data, &count)
        defer { gvFreeRenderData(data) }
        guard status == 0, let data else { return nil }
        return [UInt8](UnsafeRawBufferPointer(start: data, count: Int(count)))
    }

    private var engine: String {
        switch layout {
        case .down, .right: "dot"
        // Boxes stay where they are: `neato -n`.
        case .placed: "nop"
        }
    }

    private func failure(_ format: Format) -> DiagnosticSet {
        let words = messages.withLock { $0 }.split(whereSeparator: \.isWhitespace)
        let reason = words.isEmpty ? "no reason given" : words.joined(separator: " ")
        return DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place(name), id: "graphviz",
                "libgraphviz draws no \(format.rawValue) with its engine '\(engine)': \(reason)",
                notes: ["try: dot -c as root, which registers the installed plugins"]))
    }
}

/// The library's one state a process.
private let library = Mutex(())
/// What the library says while it works, in pieces.
private let messages = Mutex("")

private func collectMessage(_ piece: UnsafeMutablePointer<CChar>?) -> CInt {
    guard let piece else { return 0 }
    let text = String(cString: piece)
    messages.withLock { $0 += text }
    return 0
}

/// An attribute of the graph; the C function takes mutable strings, which it copies.
private func setDefault(_ key: String, _ value: String, of graph: UnsafeMutablePointer<Agraph_t>) {
    var key = key.utf8CString.map(\.self)
    var value = value.utf8CString.map(\.self)
    _ = agattr(graph, AGRAPH, &key, &value)
}
