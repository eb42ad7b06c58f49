import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// A vector on its way to a register: where and when it is sampled, on which streams.
struct Delivery {
    var use: (value: ValueID, vector: Int)
    var register: Int
    var cycle: Int
    var stream: Stream
}

extension Placer {
    func slice(_ hemisphere: Hemisphere, _ index: Int) -> QueueID {
        QueueID(hemisphere == .west ? index : chip.memSlicesPerHemisphere + index)
    }

    func hemisphere(of slice: QueueID) -> Hemisphere {
        slice.index < chip.memSlicesPerHemisphere ? .west : .east
    }

    /// The slice's number in its hemisphere.
    func number(of slice: QueueID) -> Int { slice.index % chip.memSlicesPerHemisphere }

    func register(of slice: QueueID) -> Int { registers[slice.index] }

    /// All streams of the directions, in their order.
    func streams(_ directions: [Direction]) -> [Stream] {
        directions.count == 1
            ? allStreams[Int(directions[0].rawValue)]
            : allStreams[Int(directions[0].rawValue)] + allStreams[Int(directions[1].rawValue)]
    }

    /// Streams of `direction` on which `byteCount` aligned ones start, in the given groups.
    func bases(_ direction: Direction, groups: [Int], byteCount: Int) -> [Stream] {
        let width = chip.streamsPerGroup
        return groups.flatMap { group in
            stride(from: group * width, to: (group + 1) * width, by: byteCount).map {
                Stream(direction, $0)
            }
        }
    }

    var allGroups: [Int] { Array(0..<chip.streamsPerDirection / chip.streamsPerGroup) }

    /// Hops that a value takes from `first` to `last`; nil where it flows the other way.
    func travel(_ direction: Direction, from first: Int, to last: Int) -> Int? {
        let hops = (last - first) * direction.sign
        return hops >= 0 ? hops : nil
    }

    /// Reads all planes of a vector so that they are at `register` in `cycle`, on aligned streams
    /// of one of the groups flowing in `direction`; the first stream, or nil.
    func deliver(
        _ value: ValueID, _ vector: Int, type: ElementType, to register: Int, at cycle: Int,
        direction: Direction, groups: [Int], op: Int
    ) -> Stream? {
        let place = template.values[value.index].chip
        let table = tables[place]
        var sources: [(location: Location, issue: Int, register: Int)] = []
        for plane in 0..<type.byteCount {
            let (v, i, p) = resolve(value, vector, plane)
            guard
                let source = readable(
                    v, i, p, to: register, at: cycle, direction: direction, place: place)
            else { return nil }
            sources.append(source)
        }
        let bases = choice.order(bases(direction, groups: groups, byteCount: type.byteCount))
        // A slice reads once a cycle.
        for (k, source) in sources.enumerated() {
            let isTaken = sources[..<k].contains {
                $0.location.slice == source.location.slice && $0.issue == source.issue
            }
            if isTaken { return nil }
        }
        for base in bases {
            let isFree = sources.indices.allSatisfy {
                table.isFree(
                    base.advanced(by: $0), from: sources[$0].register,
                    at: sources[$0].issue + chip.readLatency, to: register)
            }
            guard isFree else { continue }
            for (k, source) in sources.enumerated() {
                let stream = base.advanced(by: k)
                table.occupy(
                    stream, from: source.register, at: source.issue + chip.readLatency,
                    to: register)
                table.issue(
                    .memory(.read(source.location.address, stream), .none),
                    on: source.location.slice, at: source.issue, op: OpID(op))
            }
            return base
        }
        return nil
    }

    /// The place in the bundle of what makes the value on its way to the op at place `k`.
    func maker(of value: ValueID, before k: Int, in bundle: Bundle) -> Int? {
        bundle.ops[..<k].lastIndex { template.ops[$0].result == value }
    }

    /// `false` if an operand that rests in SRAM cannot be read in time.
    func canRead(_ k: Int, _ bundle: Bundle, _ attempt: Attempt, fire: Int) -> Bool {
        let arrival = fire - chip.vxmEntryLatency
        return template.ops[bundle.ops[k]].operands.allSatisfy { use in
            let vector = use.vector(attempt.iteration)
            return maker(of: use.value, before: k, in: bundle) != nil
                || attempt.deliveries.contains {
                    $0.use == (use.value, vector) && $0.register == 0 && $0.cycle == arrival
                }
                || canDeliver(
                    use.value, vector, type: template.values[use.value.index].type, to: 0,
                    at: arrival)
        }
    }

    /// `true` iff all planes of a vector can be read in time from one side, whatever the streams.
    private func canDeliver(
        _ value: ValueID, _ vector: Int, type: ElementType, to register: Int, at cycle: Int
    ) -> Bool {
        let place = template.values[value.index].chip
        return sides(of: value, vector).contains { side in
            (0..<type.byteCount).allSatisfy { plane in
                let (v, i, p) = resolve(value, vector, plane)
                return readable(
                    v, i, p, to: register, at: cycle, direction: side.inward, place: place) != nil
            }
        }
    }

    /// A copy of one byte plane that can be read in time over `direction`.
    private func readable(
        _ value: ValueID, _ vector: Int, _ plane: Int, to register: Int, at cycle: Int,
        direction: Direction, place: Int
    ) -> (location: Location, issue: Int, register: Int)? {
        for copy in copies[vectorBase[value.index] + vector] {
            let location = copy.planes[plane]
            let start = self.register(of: location.slice)
            guard let hops = travel(direction, from: start, to: register) else { continue }
            let issue = cycle - hops - chip.readLatency
            guard issue >= copy.ready,
                tables[place].canRead(location.slice, bank: Int(location.bank), at: issue)
            else { continue }
            return (location, issue, start)
        }
        return nil
    }

    /// The side whose slices hold a copy of the vector; nil while it rests nowhere.
    func sides(of value: ValueID, _ vector: Int) -> [Hemisphere] {
        let (v, i, _) = resolve(value, vector, 0)
        let slot = vectorBase[v.index] + i
        return Hemisphere.allCases.filter { side in
            copies[slot].contains { hemisphere(of: $0.planes[0].slice) == side }
        }
    }

    /// The earliest cycle at which the vector can be at `register`.
    func earliestArrival(_ value: ValueID, _ vector: Int, type: ElementType, at register: Int)
        -> Int
    {
        (0..<type.byteCount).map { plane in
            let (v, i, p) = resolve(value, vector, plane)
            return copies[vectorBase[v.index] + i].filter { p < $0.planes.count }.map {
                $0.ready + abs(self.register(of: $0.planes[p].slice) - register)
            }.min() ?? 0
        }.max()! + chip.readLatency
    }

    // MARK: Images

    /// Gives an image vector a row if it has none: constants and tables that an ALU or the edge
    /// reads, in slices that no co-operand rests in.
    func ensureImage(_ value: ValueID, _ vector: Int) throws(Infeasibility) {
        for plane in 0..<template.values[value.index].type.byteCount {
            let (v, i, _) = resolve(value, vector, plane)
            guard isImage(v), copies[vectorBase[v.index] + i].isEmpty
            else { continue }
            if isReadByMany(v, i) {
                try placeImageEverywhere(v, i)
            } else {
                try placeImage(v, i, sides: Hemisphere.allCases)
            }
        }
    }

    /// `true` iff each of an op's many iterations reads the vector: it would keep its slices busy.
    private func isReadByMany(_ value: ValueID, _ vector: Int) -> Bool {
        viewConsumers(value).contains { op, operand in
            let use = template.ops[op].operands[operand]
            return isMany(template.ops[op].count) && use.step == 0 && Int(use.start) == vector
        }
    }

    /// Gives an image vector rows in each group of slices near the VXM that has some.
    private func placeImageEverywhere(_ value: ValueID, _ vector: Int) throws(Infeasibility) {
        let place = template.values[value.index].chip
        let planes = template.values[value.index].type.byteCount
        let slot = slot(of: value, isVector: true)
        let perGroup = max(1, chip.memSlicesPerGroup / planes)
        let homes = homes(
            of: value, vector, planes: planes, sides: Hemisphere.allCases, avoiding: []
        ).filter { number(of: $0[0]) / planes % perGroup == value.index % perGroup }
        for (k, home) in homes.enumerated() {
            let bank = (k / 2 + value.index) % chip.banksPerSlice
            guard home.allSatisfy({ srams[mapOf[place]].freeRows($0, bank: bank) > 0 }) else {
                continue
            }
            let rows = home.map { srams[mapOf[place]].takeRow($0, bank: bank, slot: slot) }
            copies[vectorBase[value.index] + vector].append(Copy(planes: rows, ready: 0))
        }
        if copies[vectorBase[value.index] + vector].isEmpty { throw full(place, value) }
    }

    /// Gives an image vector a row, or a further one, on one of the sides.
    func placeImage(_ value: ValueID, _ vector: Int, sides: [Hemisphere]) throws(Infeasibility) {
        let place = template.values[value.index].chip
        let planes = template.values[value.index].type.byteCount
        for home in homes(of: value, vector, planes: planes, sides: sides) {
            let bank = rotor % chip.banksPerSlice
            guard home.allSatisfy({ srams[mapOf[place]].freeRows($0, bank: bank) > 0 }) else {
                continue
            }
            let slot = slot(of: value, isVector: true)
            let rows = home.map { srams[mapOf[place]].takeRow($0, bank: bank, slot: slot) }
            copies[vectorBase[value.index] + vector].append(Copy(planes: rows, ready: 0))
            return
        }
        throw full(place, value)
    }

    func full(_ place: Int, _ value: ValueID) -> Infeasibility {
        Infeasibility(
            at: "\(chips[place]), value '\(template.values[value.index].name)'",
            id: "sram-capacity", unit: "free rows in its slices", demand: 1, capacity: 0,
            terms: [], remedies: ["more chips", "a smaller context"])
    }

    // MARK: Homes

    var scratchSlices: Int { chip.scratchSlices }

    /// Groups of neighbouring scratch slices for a vector, the best first: none that a co-operand
    /// of a consumer rests in, since two reads of one slice in one cycle are impossible. Where
    /// co-operands rest in all of them, any: the vector needs a second copy.
    func homes(of value: ValueID, _ vector: Int, planes: Int, sides: [Hemisphere]) -> [[QueueID]] {
        let taken = coOperandSlices(value, vector)
        let free = homes(of: value, vector, planes: planes, sides: sides, avoiding: taken)
        return free.isEmpty
            ? homes(of: value, vector, planes: planes, sides: sides, avoiding: []) : free
    }

    /// `true` iff every home of the vector holds a co-operand of a consumer.
    func isCrowded(_ value: ValueID, _ vector: Int, planes: Int) -> Bool {
        let taken = coOperandSlices(value, vector)
        return !taken.isEmpty
            && homes(
                of: value, vector, planes: planes, sides: Hemisphere.allCases, avoiding: taken
            ).isEmpty
    }

    /// The place of one of many vectors in the order in which they rest in slices and on sides in
    /// turn: whoever reads them one after another then finds each slice free; nil for few.
    func turn(of value: ValueID, _ vector: Int) -> Int? {
        isMany(template.values[value.index].count) ? value.index + vector : nil
    }

    /// `true` iff most ops of the template are for many vectors, and so many are.
    func isMany(_ vectors: Int) -> Bool { isBatched && vectors > chip.weightStreamsPerPlane }

    private func homes(
        of value: ValueID, _ vector: Int, planes: Int, sides: [Hemisphere],
        avoiding taken: [QueueID]
    ) -> [[QueueID]] {
        let sides = isPiece(value) && sides.contains(.west) ? [.west] : sides
        var result: [[QueueID]] = []
        let width = planes == 3 ? 4 : planes
        let count = scratchSlices / width
        rotor += 1
        let start = choice.start(of: count, rotor: turn(of: value, vector).map { $0 / 2 } ?? rotor)
        for k in 0..<count {
            let first = (start + k) % count * width
            for side in sides {
                let slices = (0..<planes).map { slice(side, first + $0) }
                if !slices.contains(where: { taken.contains($0) }) { result.append(slices) }
            }
        }
        guard sharesRows else { return result }
        // What is all but full comes last.
        let place = template.values[value.index].chip
        func isRoomy(_ slices: [QueueID]) -> Bool {
            slices.allSatisfy { slice in
                (0..<chip.banksPerSlice).contains {
                    srams[mapOf[place]].freeRows(slice, bank: $0, isPassing: true)
                        > chip.rowsPerBank / 8
                }
            }
        }
        return result.filter(isRoomy) + result.filter { !isRoomy($0) }
    }

    /// `true` iff a packed operand is made of it: its pieces rest on one side, west.
    func isPiece(_ value: ValueID) -> Bool {
        consumers[value.index].contains {
            if case .pack = template.ops[$0.op].kind { true } else { false }
        }
    }

    /// Slices of vectors that some op reads at the same time as this one.
    private func coOperandSlices(_ value: ValueID, _ vector: Int) -> [QueueID] {
        var slices: [QueueID] = []
        for (op, operand) in viewConsumers(value) {
            // The terms of a sum go in one after another.
            if case .matmul = template.ops[op].kind { continue }
            let use = template.ops[op].operands[operand]
            guard let i = iteration(of: vector, in: use, count: template.ops[op].count) else {
                continue
            }
            let (b, k) = bundleOf[op]
            // The pieces of a packed operand are read together, maybe by a later template.
            let together =
                b < 0
                ? [op]
                : zip(bundles[b].ops, bundles[b].offsets)
                    .filter { $0 == op || $1 == bundles[b].offsets[k] }.map(\.0)
            for other in together {
                for use in template.ops[other].operands {
                    let n = use.vector(min(i, template.ops[other].count - 1))
                    for plane in 0..<template.values[use.value.index].type.byteCount {
                        let (v, w, p) = resolve(use.value, n, plane)
                        guard v != value || w != vector else { continue }
                        // A copy that is being written may not have this plane yet.
                        slices += copies[vectorBase[v.index] + w].filter { p < $0.planes.count }
                            .map { $0.planes[p].slice }
                    }
                }
            }
        }
        return slices
    }

    /// Consumers of a value, through views too.
    private func viewConsumers(_ value: ValueID) -> [(op: Int, operand: Int)] {
        consumers[value.index].flatMap { consumer -> [(op: Int, operand: Int)] in
            switch template.ops[consumer.op].kind {
            case .pack, .byte: [consumer] + viewConsumers(template.ops[consumer.op].result)
            case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select,
                .transpose, .gather, .scatter, .transfer, .ingress, .egress:
                [consumer]
            }
        }
    }

    private func iteration(of vector: Int, in use: Use, count: Int) -> Int? {
        let distance = vector - Int(use.start)
        if use.step == 0 { return distance == 0 ? 0 : nil }
        guard distance % Int(use.step) == 0 else { return nil }
        let i = distance / Int(use.step)
        return i >= 0 && i < max(count, 1) ? i : nil
    }
}
