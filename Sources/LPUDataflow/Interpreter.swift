import LPUNumerics
public import LPUSupport

/// Runs a program on bytes, op by op in its order: what the program means, bit for bit.
///
/// The bytes of a value stand vector by vector, in a vector plane by plane (`byteCount` planes, low
/// bytes first), in a plane lane by lane. A copy of the interpreter keeps the state of its caches.
public struct Interpreter: Sendable {
    public let program: Program
    public let numbering: Numbering
    /// Bytes that a step takes from the host port.
    public let ingressByteCount: Int

    /// For each value of the whole program its bytes; none for a parameter or what is not made yet.
    private var storage: [[UInt8]]
    /// For each image that is scattered into, its number and that of its last version.
    private let regions: [(image: ValueID, last: ValueID)]
    private var tile: WeightTile

    /// Puts every image value in place: the bytes that `image` gives for a value of an instance,
    /// or, where it gives none, what the formula says.
    ///
    /// Throws what is illegal in the program (`problems()`), what `image` throws, and
    /// `dataflow-image` where it gives too many or too few bytes, or none for weights or scales.
    public init(
        _ program: Program,
        image: (Int, ValueID) throws(DiagnosticSet) -> [UInt8]? = { _, _ in nil }
    ) throws(DiagnosticSet) {
        try program.validate()
        self.program = program
        numbering = Numbering(program)
        regions = program.regions(numbering)
        storage = Array(repeating: [], count: numbering.valueCount)
        tile = WeightTile(type: .fp8, rowCount: program.lanes, laneCount: program.lanes)
        var ingress = 0
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for op in template.ops where op.kind == .ingress {
                ingress += program.byteCount(template.values[op.result.index])
            }
            for (v, value) in template.values.enumerated() {
                guard case .image(let formula) = value.origin else { continue }
                let bytes =
                    try image(i, ValueID(v))
                    ?? formula.bytes(type: value.type, count: value.count, lanes: program.lanes)
                    ?? []
                guard bytes.count == program.byteCount(value) else {
                    throw DiagnosticSet(
                        Diagnostic(
                            at: Diagnostic.Place("i\(i).\(ValueID(v))"), id: "dataflow-image",
                            "\(bytes.count) bytes are given for '\(value.name)', which has "
                                + "\(program.byteCount(value))"))
                }
                storage[numbering.value(ValueID(v), of: i).index] = bytes
            }
        }
        ingressByteCount = ingress
    }

    /// The bytes of a value of an instance: of the last step, an image as the next step finds it.
    ///
    /// Empty before the first step if an op makes the value.
    public func bytes(of value: ValueID, in instance: Int) -> [UInt8] {
        storage[numbering.value(value, of: instance).index]
    }

    /// Runs every op once; takes the vectors of all `ingress` ops in the program's order and gives
    /// those of all `egress` ops. Then the last version of every cache becomes its image.
    ///
    /// Throws `dataflow-ingress` where there are not `ingressByteCount` bytes, and
    /// `dataflow-window` where an offset leaves its window; the images are then as before.
    public mutating func step(ingress: [UInt8] = []) throws(DiagnosticSet) -> [UInt8] {
        guard ingress.count == ingressByteCount else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(program.name), id: "dataflow-ingress",
                    "\(ingress.count) bytes enter, the program takes \(ingressByteCount)"))
        }
        var taken = 0
        var egress: [UInt8] = []
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for (o, op) in template.ops.enumerated() {
                let result = template.values[op.result.index]
                var bytes: [UInt8]
                if op.kind == .ingress {
                    let count = program.byteCount(result)
                    bytes = Array(ingress[taken..<taken + count])
                    taken += count
                } else {
                    let step = OpStep(
                        op: op, result: result, lanes: program.lanes,
                        superlane: program.lanesPerSuperlane, instance: i,
                        number: numbering.op(OpID(o), of: i))
                    bytes = try step.run(on: &tile) { use in
                        Operand(
                            bytes: storage[numbering.value(use.value, of: i).index],
                            type: template.values[use.value.index].type, use: use,
                            lanes: program.lanes)
                    }
                }
                if case .egress = op.kind { egress += bytes }
                storage[numbering.value(op.result, of: i).index] = bytes
            }
        }
        for region in regions { storage[region.image.index] = storage[region.last.index] }
        return egress
    }
}

extension Program {
    /// Bytes of a value.
    func byteCount(_ value: Value) -> Int {
        value.count * value.type.byteCount * lanes
    }

    /// Every image that is scattered into, with its last version.
    fileprivate func regions(_ numbering: Numbering) -> [(image: ValueID, last: ValueID)] {
        // For each value the region it is a version of, as an index of the result.
        var region: [Int?] = Array(repeating: nil, count: numbering.valueCount)
        var regions: [(image: ValueID, last: ValueID)] = []
        for (i, instance) in instances.enumerated() {
            for op in templates[instance.template].ops {
                guard case .scatter(let use, _, _, _) = op.kind else { continue }
                let old = numbering.value(use.value, of: i)
                let new = numbering.value(op.result, of: i)
                let index = region[old.index] ?? regions.count
                if index == regions.count { regions.append((old, new)) }
                regions[index].last = new
                region[new.index] = index
            }
        }
        return regions
    }
}
