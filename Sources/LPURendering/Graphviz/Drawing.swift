/// A picture as data: boxes with tables of text, arrows, and a heading. It says what is drawn;
/// libgraphviz decides only where boxes without a place go and how glyphs look.
public struct Drawing: Hashable, Sendable {
    /// Who places the boxes.
    public enum Layout: Hashable, Sendable {
        /// Graphviz, in layers from the top down, as the edges say.
        case layered
        /// The drawing: every node has a frame.
        case placed
    }

    /// A rectangle in points (1/72 inch); y grows downwards, as text is read.
    public struct Frame: Hashable, Sendable {
        public var x: Double
        public var y: Double
        public var width: Double
        public var height: Double
        public init(x: Double, y: Double, width: Double, height: Double) {
            self.x = x
            self.y = y
            self.width = width
            self.height = height
        }
    }

    /// One field of a table.
    public struct Cell: Hashable, Sendable {
        public enum Style: Hashable, Sendable { case title, strong, plain }
        public enum Alignment: String, Hashable, Sendable { case left, center, right }
        public var text: String
        public var style: Style
        public var alignment: Alignment
        public var fill: Colour?
        public init(
            _ text: String, _ style: Style = .plain, alignment: Alignment = .center,
            fill: Colour? = nil
        ) {
            self.text = text
            self.style = style
            self.alignment = alignment
            self.fill = fill
        }
    }

    /// Rows of cells; cells of a row share its width.
    public struct Table: Hashable, Sendable {
        public var rows: [[Cell]]
        public init(_ rows: [[Cell]]) { self.rows = rows }
    }

    public struct Node: Hashable, Sendable {
        public enum Outline: Hashable, Sendable { case none, solid, dashed }
        /// Unique in the drawing; what a search in the DOT text or the SVG finds.
        public var id: String
        public var table: Table?
        public var fill: Colour?
        public var outline: Outline
        /// Needed where the drawing places the boxes, else without effect.
        public var frame: Frame?
        public init(
            _ id: String, table: Table? = nil, fill: Colour? = nil, outline: Outline = .none,
            frame: Frame? = nil
        ) {
            self.id = id
            self.table = table
            self.fill = fill
            self.outline = outline
            self.frame = frame
        }
    }

    public struct Edge: Hashable, Sendable {
        /// Ids of nodes.
        public var from: String
        public var to: String
        /// Nil for an edge that is not drawn and only puts `to` below `from`.
        public var text: String?
        public init(from: String, to: String, _ text: String?) {
            self.from = from
            self.to = to
            self.text = text
        }
    }

    public var name: String
    public var layout: Layout
    public var heading: Table
    /// In the order in which they are drawn: a later one covers an earlier one.
    public var nodes: [Node]
    public var edges: [Edge]

    public init(
        _ name: String, layout: Layout, heading: Table, nodes: [Node] = [], edges: [Edge] = []
    ) {
        self.name = name
        self.layout = layout
        self.heading = heading
        self.nodes = nodes
        self.edges = edges
    }
}

/// A colour of the palette, all light enough for black text and each of another grey in print.
public enum Colour: String, Hashable, Sendable, CaseIterable {
    case yellow = "#f9e79f"
    case green = "#a9dfae"
    case blue = "#8ec1e6"
    case orange = "#f0995c"
    case violet = "#a58bd0"
    /// Ground of a chart's rows.
    case pale = "#f2f2f2"
    /// Grid lines.
    case grey = "#b8b8b8"
}
