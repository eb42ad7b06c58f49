import LPUSupport

extension Drawing {
    /// The picture in the DOT language: what libgraphviz draws, and what `dot` would.
    ///
    /// The same bytes in every process. O(size).
    public var dot: String {
        var writer = LineWriter()
        writer.line("digraph \(quoted(name)) {")
        writer.line("graph [\(graphAttributes)]")
        writer.line("node [\(Self.font), margin=0, shape=plain]")
        writer.line("edge [\(Self.font), arrowsize=0.8, color=\"#404040\"]")
        for node in nodes { writer.line("\(quoted(node.id)) [\(attributes(of: node))]") }
        for edge in edges {
            let ends = "\(quoted(edge.from)) -> \(quoted(edge.to))"
            let label = edge.text.map { "label=<\(escaped(" \($0) "))>" }
            writer.line("\(ends) [\(label ?? "style=invis")]")
        }
        writer.line("}")
        return writer.text
    }

    private static let font = "fontname=\"Helvetica,Arial,sans-serif\", fontsize=11"

    private var graphAttributes: String {
        let label = "label=<\(html(heading, border: 0))>"
        return "\(Self.font), pad=0.2, nodesep=0.3, ranksep=0.4, labelloc=t, \(label)"
    }

    private func attributes(of node: Node) -> String {
        var words: [String] = []
        if let fill = node.fill {
            words.append("style=filled, fillcolor=\"\(fill.rawValue)\", penwidth=0")
        }
        if let frame = node.frame {
            // Graphviz places centres, upwards, and sizes in inches.
            let (x, y) = (frame.x + frame.width / 2, -frame.y - frame.height / 2)
            words.append("shape=box, fixedsize=true, pos=\"\(x),\(y)\"")
            words.append("width=\(frame.width / 72), height=\(frame.height / 72)")
            if node.outline == .none { words.append("penwidth=0") }
        }
        let label = node.table.map {
            "<\(html($0, border: node.frame == nil ? 1 : 0, outline: node.outline, node.frame))>"
        }
        words.append("label=\(label ?? "\"\"")")
        return words.joined(separator: ", ")
    }
}

/// A table as an HTML-like label: a row of several cells is a table of its own, so that rows need
/// not agree on columns.
private func html(
    _ table: Drawing.Table, border: Int, outline: Drawing.Node.Outline = .none,
    _ frame: Drawing.Frame? = nil
) -> String {
    let style = outline == .dashed ? " style=\"dashed\"" : ""
    var text = "<table border=\"\(outline == .none ? 0 : border)\" cellborder=\"0\""
    text += " cellspacing=\"0\" cellpadding=\"\(frame == nil ? 3 : 0)\"\(style)>"
    for row in table.rows {
        if row.count == 1 {
            text += "<tr>\(html(row[0], frame))</tr>"
        } else {
            text += "<tr><td><table border=\"0\" cellborder=\"0\" cellspacing=\"2\"><tr>"
            for cell in row { text += html(cell, nil) }
            text += "</tr></table></td></tr>"
        }
    }
    return text + "</table>"
}

private func html(_ cell: Drawing.Cell, _ frame: Drawing.Frame?) -> String {
    let content =
        switch cell.style {
        case .title: "<font point-size=\"16\"><b>\(escaped(cell.text))</b></font>"
        case .strong: "<b>\(escaped(cell.text))</b>"
        case .plain: escaped(cell.text)
        }
    let fill = cell.fill.map { " bgcolor=\"\($0.rawValue)\"" } ?? ""
    let width = frame.map { " width=\"\(Int($0.width))\"" } ?? ""
    return "<td align=\"\(cell.alignment.rawValue)\"\(fill)\(width)>\(content)</td>"
}

/// Text for an HTML-like label: markup and control characters lose their meaning.
private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case _ where isControl(scalar): result += " "
        case _: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// A DOT string: quotes and backslashes stand for themselves.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\" + String(scalar)
        case _ where isControl(scalar): result += " "
        case _: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// What neither XML nor a line of DOT can hold.
private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .unassigned, .surrogate: true
    case _: false
    }
}
