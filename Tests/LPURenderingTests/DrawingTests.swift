import LPUSupport
import Testing

@testable import LPURendering

@Suite struct DrawingTests {
    private let drawing = Drawing(
        "odd \"names\"", layout: .layered,
        heading: Drawing.Table([[Drawing.Cell("a < b & \"c\"", .title)]]),
        nodes: [
            Drawing.Node(
                "one\\", table: Drawing.Table([[Drawing.Cell("first\n</table>")]]),
                outline: .solid),
            Drawing.Node(
                "two \"2\"", table: Drawing.Table([[Drawing.Cell("µ &amp;"), Drawing.Cell("x")]]),
                outline: .dashed),
        ],
        edges: [
            Drawing.Edge(from: "one\\", to: "two \"2\"", "1 < 2"),
            Drawing.Edge(from: "one\\", to: "two \"2\"", nil),
        ])

    private func svg(_ drawing: Drawing) throws -> String {
        String(decoding: try drawing.rendered(as: .svg), as: UTF8.self)
    }

    @Test func everyNameStandsForItself() throws {
        #expect(drawing.dot.hasPrefix("digraph \"odd \\\"names\\\"\" {\n"))
        #expect(drawing.dot.contains("\n\"one\\\\\" -> \"two \\\"2\\\"\" [label=< 1 &lt; 2 >]\n"))
        let svg = try svg(drawing)
        // Graphviz writes the text of a label as XML, an ampersand and quotes as entities.
        #expect(svg.contains(">a &lt; b &amp; &quot;c&quot;</text>"))
        #expect(svg.contains(">first &lt;/table&gt;</text>"))
        #expect(svg.contains(">µ &amp;amp;</text>"))
        #expect(svg.matches(of: /class="node"/).count == 2)
        #expect(svg.matches(of: /class="edge"/).count == 1)
        #expect(svg.matches(of: /stroke-dasharray/).count == 1)
    }

    @Test func placedBoxesStayWhereTheyAre() throws {
        let frames = [
            Drawing.Frame(x: 0, y: 0, width: 100, height: 20),
            Drawing.Frame(x: 300, y: 50, width: 36, height: 10),
        ]
        let placed = Drawing(
            "placed", layout: .placed, heading: Drawing.Table([[Drawing.Cell("t")]]),
            nodes: frames.indices.map { Drawing.Node("n\($0)", fill: .blue, frame: frames[$0]) })
        let svg = try svg(placed)
        // Corner by corner from the lower right, the first box's place apart.
        let points = svg.matches(of: /points="([0-9.-]+),([0-9.-]+) [0-9.-]+,[0-9.-]+ ([0-9.-]+)/)
        let boxes = try points.suffix(2).map { match -> (x: Double, y: Double, left: Double) in
            let numbers = [match.1, match.2, match.3].compactMap { Double(String($0)) }
            return try #require(numbers.count == 3 ? (numbers[0], numbers[1], numbers[2]) : nil)
        }
        try #require(boxes.count == 2)
        #expect(boxes[0].x - boxes[0].left == 100)
        #expect(boxes[1].x - boxes[1].left == 36)
        #expect(boxes[1].left - boxes[0].left == 300)
        #expect(boxes[1].y - boxes[0].y == 50)
    }

    @Test func pngHasItsSignatureAndTwoPixelsAPoint() throws {
        let wide = Drawing(
            "wide", layout: .placed, heading: Drawing.Table([[Drawing.Cell("t")]]),
            nodes: [
                Drawing.Node(
                    "n", fill: .orange,
                    frame: Drawing.Frame(x: 0, y: 0, width: 500, height: 50))
            ])
        let bytes = try wide.rendered(as: .png)
        #expect(bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
        try #require(bytes.count > 24)
        let width = bytes[16..<20].reduce(0) { $0 << 8 | Int($1) }
        #expect((1000...1060).contains(width))
    }

    @Test func threadsWaitForEachOther() async throws {
        let expected = try drawing.rendered(as: .svg)
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<8 {
                group.addTask { [drawing] in try drawing.rendered(as: .svg) }
            }
            for try await bytes in group { #expect(bytes == expected) }
        }
    }

    @Test func refusalsAreInTheLibrarysWords() throws {
        let engine = #expect(throws: GraphvizError.self) {
            try render("digraph {}", engine: "nosuch", format: .svg)
        }
        #expect(engine?.message.contains("nosuch") == true)
        let text = #expect(throws: GraphvizError.self) {
            try render("digraph {", engine: "dot", format: .svg)
        }
        #expect(text?.message.contains("syntax error") == true)
        // And the library works on.
        #expect(try !drawing.rendered(as: .svg).isEmpty)
    }
}
