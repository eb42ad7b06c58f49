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
    ///   engine or a format.
    public func rendered(as format: Format) throws(DiagnosticSet) -> [UInt8] {
        let engine =
            switch layout {
            case .layered: "dot"
            // Boxes stay where they are: `neato -n`.
            case .placed: "nop"
            }
        do throws(GraphvizError) {
            return try render(dot, engine: engine, format: format)
        } catch {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(name), id: "graphviz",
                    "libgraphviz draws no \(format.rawValue) with its engine '\(engine)': "
                        + error.message,
                    notes: ["try: dot -c as root, which registers the installed plugins"]))
        }
    }
}

struct GraphvizError: Error {
    /// The library's own words.
    var message: String
}

/// Lays out a graph in the DOT language and draws it, one call at a time.
func render(
    _ dot: String, engine: String, format: Drawing.Format
) throws(GraphvizError) -> [UInt8] {
    let result = library.withLock { _ -> Result<[UInt8], GraphvizError> in
        messages.withLock { $0 = "" }
        let previous = agseterrf(collectMessage)
        defer { agseterrf(previous) }
        if let bytes = renderUnlocked(dot, engine: engine, format: format) {
            return .success(bytes)
        }
        let words = messages.withLock { $0 }.split(whereSeparator: \.isWhitespace)
        return .failure(GraphvizError(message: words.joined(separator: " ")))
    }
    return try result.get()
}

/// Nil where the library refuses.
private func renderUnlocked(_ dot: String, engine: String, format: Drawing.Format) -> [UInt8]? {
    guard let context = gvContext() else { return nil }
    defer { gvFreeContext(context) }
    guard let graph = agmemread(dot) else { return nil }
    defer { agclose(graph) }
    switch format {
    case .svg: break
    // Not in the text: graphviz 2.42 clips SVG files of other resolutions than its own.
    case .png: setAttribute("dpi", "144", of: graph)
    }
    guard gvLayout(context, graph, engine) == 0 else { return nil }
    defer { gvFreeLayout(context, graph) }
    var data: UnsafeMutablePointer<CChar>?
    var count: UInt32 = 0
    guard gvRenderData(context, graph, format.rawValue, &data, &count) == 0, let data else {
        return nil
    }
    defer { gvFreeRenderData(data) }
    return [UInt8](UnsafeRawBufferPointer(start: data, count: Int(count)))
}

/// The C function takes mutable strings, which it copies.
private func setAttribute(
    _ key: String, _ value: String, of graph: UnsafeMutablePointer<Agraph_t>
) {
    var key = Array(key.utf8CString)
    var value = Array(value.utf8CString)
    _ = agattr(graph, AGRAPH, &key, &value)
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
