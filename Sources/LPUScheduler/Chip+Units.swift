import LPUMachine

/// The units of a chip, listed the way that the placer asks for them.
extension Chip {
    /// The stream register beside each slice, in the order of the queues.
    var registersOfSlices: [Int] {
        Hemisphere.allCases.flatMap { side in
            (0..<memSlicesPerHemisphere).map { register(ofSlice: $0, in: side) }
        }
    }

    /// By row of the mesh.
    private var alusByRow: [[Int]] {
        aluRowGroups.indices.map { Array($0 * aluColumns..<($0 + 1) * aluColumns) }
    }

    /// By row of the mesh: those that have exp, tanh and rsqrt.
    var largeALUsByRow: [[Int]] { alusByRow.map { $0.filter(largeALUs.contains) } }

    /// By row of the mesh: small ALUs first, so that the large ones stay free.
    var rankedALUs: [[Int]] {
        zip(alusByRow, largeALUsByRow).map { row, large in
            row.filter { !large.contains($0) } + large
        }
    }

    /// By direction.
    var streamsByDirection: [[Stream]] {
        Direction.allCases.map { direction in
            (0..<streamsPerDirection).map { Stream(direction, $0) }
        }
    }
}
