import LPUMachine
import LPUNumerics
import LPUSchedule

// MXM.
extension Datapath {
    /// Decodes the weights of the next products: of a kept tile the rows that have changed.
    func decode(_ number: Int, plane: Int, rows: VectorList) {
        let source = trace.tiles[number]
        let tile = tiles[number] ?? newTile(number, plane: plane)
        planes[plane].tile = tile
        let (first, count) = (rows.range.lowerBound, chip.planeRows)
        for row in 0..<count where source.rows[row] != .unset {
            let low = trace.vectors[first + row]
            var changed = tile.takes(version(low, source.rows[row]), at: row)
            if source.type == .fp16 {
                let high = trace.vectors[first + count + row]
                changed =
                    tile.takes(version(high, source.rows[count + row]), at: count + row)
                    || changed
                if changed { tile.tile.setRow(row, planes([low, high])) }
            } else if changed {
                tile.tile.setRow(row, planes([low]))
            }
        }
    }

    private func newTile(_ number: Int, plane: Int) -> DecodedTile {
        let type = trace.tiles[number].type
        let size = 4 * chip.planeRows * chip.lanes
        if tileBytes >= size {
            tileBytes -= size
            let tile = DecodedTile(chip, type)
            tiles[number] = tile
            return tile
        }
        let scratch = planes[plane].scratch ?? DecodedTile(chip, type)
        planes[plane].scratch = scratch
        scratch.removeAll(type)
        return scratch
    }

    /// Which write a weight vector has its bytes from; 0 if no later one may be the same.
    private func version(_ vector: Vector, _ row: TileRow) -> Int {
        switch row {
        case .unset, .computed: 0
        case .image: 1
        case .memory: versions[Int(vector.raw)]
        }
    }

    func multiply(_ activation: VectorList, plane: Int, sum: Int) {
        let activation = planes(activation)
        let first = sum * chip.lanes
        guard let tile = planes[plane].tile else {
            preconditionFailure("a product comes before its weights")
        }
        tile.tile.multiply(
            activation,
            into: UnsafeMutableBufferPointer(
                rebasing: planes[plane].sums[first..<first + chip.planeRows]))
    }

    func accumulate(
        plane: Int, sum: Int, row: Int, _ operation: ALUOperation, _ emit: VectorList
    ) {
        let (from, to, lanes) = (sum * chip.lanes, row * chip.lanes, chip.lanes)
        let emitted = planes(to: emit)
        let sums = UnsafeBufferPointer(rebasing: planes[plane].sums[from..<from + lanes])
        let kept = UnsafeMutableBufferPointer(
            rebasing: planes[plane].accumulator[to..<to + lanes])
        let first = operation == .copy ? sums : UnsafeBufferPointer(kept)
        operation.apply(first, sums, into: kept)
        if !emitted.isEmpty { ElementType.fp32.narrow(UnsafeBufferPointer(kept), into: emitted) }
    }
}

// VXM.
extension Datapath {
    func calculate(
        _ operation: ALUOperation, _ a: TracedOperand, _ b: TracedOperand, result: Int,
        _ type: ElementType, _ emit: VectorList
    ) {
        let lanes = chip.lanes
        let scratch = chip.aluCount * chip.resultDepth
        let (a, b) = (operand(a, scratch), operand(b, scratch + 1))
        let words = UnsafeMutableBufferPointer(
            rebasing: words[result * lanes..<(result + 1) * lanes])
        operation.apply(a, b, into: words)
        if emit.count > 0 { type.narrow(UnsafeBufferPointer(words), into: planes(to: emit)) }
    }

    /// The operand's words, for which there is a place among the words.
    private func operand(_ operand: TracedOperand, _ place: Int) -> UnsafeBufferPointer<UInt32> {
        let lanes = chip.lanes
        func words(_ place: Int) -> UnsafeMutableBufferPointer<UInt32> {
            UnsafeMutableBufferPointer(rebasing: self.words[place * lanes..<(place + 1) * lanes])
        }
        switch operand {
        case .none: return UnsafeBufferPointer(words(place))
        case .immediate(let word):
            words(place).update(repeating: word)
            return UnsafeBufferPointer(words(place))
        case .result(let result): return UnsafeBufferPointer(words(Int(result)))
        case .vectors(let list, let type):
            type.widen(planes(list), into: words(place))
            return UnsafeBufferPointer(words(place))
        }
    }
}

// SXM.
extension Datapath {
    func distribute(_ from: Vector, _ to: Vector, _ map: LaneMapID) {
        let (input, output) = (bytes(from), bytes(of: to))
        let width = chip.lanesPerSuperlane
        laneMaps[Int(map.index)].withUnsafeBufferPointer { lanes in
            for first in stride(from: 0, to: chip.lanes, by: width) {
                for lane in 0..<width {
                    let source = Int(lanes[lane])
                    output[first + lane] = source < 0 ? 0 : input[first + source]
                }
            }
        }
    }

    func permute(_ from: Vector, _ to: Vector, _ map: LaneMapID) {
        let (input, output) = (bytes(from), bytes(of: to))
        laneMaps[Int(map.index)].withUnsafeBufferPointer { lanes in
            for lane in lanes.indices { output[lane] = input[Int(lanes[lane])] }
        }
    }

    func shift(_ from: Vector, _ to: Vector, _ by: Int) {
        let (input, output) = (bytes(from), bytes(of: to))
        for lane in 0..<chip.lanes {
            let source = lane - by
            output[lane] = (0..<chip.lanes).contains(source) ? input[source] : 0
        }
    }

    func rotate(_ from: Vector, _ to: Vector, _ by: Int) {
        let (input, output) = (bytes(from), bytes(of: to))
        let width = chip.lanesPerSuperlane
        let turn = (by % width + width) % width
        for first in stride(from: 0, to: chip.lanes, by: width) {
            for lane in 0..<width {
                output[first + lane] = input[first + (lane - turn + width) % width]
            }
        }
    }

    func select(_ low: Vector, _ high: Vector, _ to: Vector, _ boundary: Int) {
        let (below, above, output) = (bytes(low), bytes(high), bytes(of: to))
        for lane in 0..<chip.lanes { output[lane] = lane < boundary ? below[lane] : above[lane] }
    }

    func transpose(_ from: VectorList, _ to: VectorList) {
        let (inputs, outputs) = (planes(from), planes(to: to))
        let width = chip.lanesPerSuperlane
        for j in outputs.indices {
            for first in stride(from: 0, to: chip.lanes, by: width) {
                for i in 0..<width {
                    outputs[j][first + i] = i < inputs.count ? inputs[i][first + j] : 0
                }
            }
        }
    }
}
