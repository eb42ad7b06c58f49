import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Once a token: constants, addresses, masks and rotary rows from the bytes that come in.
extension DecoderLowering {
    /// On one chip, from the bytes that it has.
    mutating func lowerPrologue(_ ingress: ValueID, on place: Int) {
        lowerConstants(on: place)
        let token = ingressWord(ingress, 0, "token")
        let position = ingressWord(ingress, 1, "position")
        let slot = plan.users > 1 ? ingressWord(ingress, 2, "slot") : nil
        shared[place].token = token
        lowerRotary(position, on: place)
        lowerBounds(position, on: place)
        lowerCacheRows(position, ofUser: slot, on: place)
    }

    private mutating func lowerConstants(on place: Int) {
        let one: UInt32 = 0x3c00
        shared[place].ones = builder.image(
            "ones", chip: place, type: .fp16, count: lanes,
            .constant(bits: one, vectors: 0..<lanes, lanes: 0..<lanes))
        let cacheOne: UInt32 = plan.kvType == .fp8 ? 0x38 : one
        let rows = heads[place].sets.indices.map { heads[place].rows($0) }.max() ?? 0
        shared[place].identity = builder.image(
            "identity", chip: place, type: plan.kvType, count: max(rows, 1),
            .diagonal(bits: cacheOne, offset: 0, period: lanes))
        shared[place].integers = integerConstants(on: place)
        if model.hasQueryKeyNorm { shared[place].headOnes = headOnes(one, on: place) }
        shared[place].groups = headGroups(on: place).enumerated().map {
            groupConstants($1, "group\($0)", on: place)
        }
    }

    func headGroups(on place: Int) -> [HeadGroup] {
        heads[place].groups(lanesPerSuperlane: chip.lanesPerSuperlane)
    }

    private mutating func groupConstants(
        _ group: HeadGroup, _ name: String, on place: Int
    ) -> GroupConstants {
        let dimension = model.headDimension
        let period = (lanes + dimension - 1) / dimension
        func mask(
            _ name: String, side: Int = 0, _ isHeld: (HeadGroup.Head) -> Bool
        ) -> ValueID {
            let first = side * blocks.width / dimension
            let bits: [UInt32] = group.heads.flatMap { head in
                (0..<period).map { $0 == first + head.keyValue && isHeld(head) ? 1 : 0 }
            }
            return builder.image(
                name, chip: place, type: .int8, count: group.heads.count,
                .table(bits: bits, stride: period, run: dimension))
        }
        let vectors = (group.heads.map(\.query).max() ?? 0) + 1
        let isShared = group.heads.contains { $0.keyValue > 0 }
        return GroupConstants(
            selectors: (0..<blocks.sides).map { side in
                (0..<vectors).map { j in
                    mask("\(name).query\(j)\(ofSide(side))", side: side) { $0.query == j }
                }
            },
            headLanes: isShared ? mask("\(name).headLanes") { _ in true } : nil)
    }

    /// What stands for a block of a tile of keys in names.
    func ofSide(_ side: Int) -> String { side == 0 ? "" : ".side\(side)" }

    /// Wherever a head stands, its sum is of where the projection puts it.
    private mutating func headOnes(_ one: UInt32, on place: Int) -> ValueID {
        let period = (lanes + model.headDimension - 1) / model.headDimension
        let bits = (0..<lanes).flatMap { n in
            (0..<period).map { $0 == n % blocks.width / model.headDimension ? one : 0 }
        }
        return builder.image(
            "headOnes", chip: place, type: .fp16, count: lanes,
            .table(bits: bits, stride: period, run: model.headDimension))
    }

    /// Four bytes of every superlane as an int32 in every lane.
    private mutating func ingressWord(_ ingress: ValueID, _ word: Int, _ name: String) -> ValueID {
        var bytes: [Use] = []
        for byte in 0..<4 {
            let map = [Int16](repeating: Int16(4 * word + byte), count: chip.lanesPerSuperlane)
            bytes.append(builder.distribute(map, ingress.at(), name: "\(name).byte\(byte)").at())
        }
        return builder.pack(bytes, as: .int32, name: name)
    }

    /// An int32 below 65536 as a gather address: low byte in lane 0, high byte in lane 1 of every
    /// superlane.
    mutating func address(_ value: ValueID, _ name: String) -> ValueID {
        let shifts = addressShifts(for: value)
        let bytes = builder.elementwise(
            .shiftRight, value.at(), shifts.at(), name: "\(name).shifted")
        return builder.byte(0, of: bytes.at(), name: name)
    }

    /// 8 in lane 1 of every superlane, else 0; a constant of its own for each user, so that reads
    /// of it never meet.
    private mutating func addressShifts(for value: ValueID) -> ValueID {
        builder.image(
            "addressShifts", chip: builder.place(of: value), type: .int32, count: 1,
            .diagonal(bits: 8, offset: 1, period: chip.lanesPerSuperlane))
    }

    /// Tokens n < position are in the cache: +60000 there, -60000 elsewhere.
    private mutating func lowerBounds(_ position: ValueID, on place: Int) {
        let real = builder.elementwise(.toFP32, position.at(), name: "position.fp32")
        for block in 0..<blocks.count {
            let indices = (0..<lanes).map { Float(block * lanes + $0).bitPattern }
            let lane = builder.image(
                "tokens\(block)", chip: place, type: .fp32, count: 1,
                .table(bits: indices, stride: 0, run: 1))
            let bound = chained { l in
                let seen = l.builder.elementwise(.less, lane.at(), real.at())
                let scaled = l.builder.elementwise(.multiply, seen.at(), 120_000)
                return l.builder.elementwise(
                    .subtract, scaled.at(), 60_000, name: "bound\(block)")
            }
            shared[place].bounds.append(bound)
        }
    }
}
