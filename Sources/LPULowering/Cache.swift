import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The caches of a set of heads: 16 regions each, one a slice that feeds a plane.
struct Cache {
    var keys: [ValueID]
    /// The open block of 320 tokens, and all blocks transposed.
    var openValues: [ValueID]
    var values: [ValueID]
}

extension DecoderLowering {
    /// A key or value as the cache will keep it: the token attends to itself as others will to it.
    mutating func cached(_ value: ValueID, _ name: String) -> ValueID {
        builder.elementwise(plan.kvType == .fp8 ? .toFP8 : .toFP16, Use(value), name: name)
    }

    mutating func makeCache(_ label: String, _ set: Int, on place: Int) -> Cache {
        let slices = chip.weightStreamsPerPlane
        func regions(_ name: String, _ rows: Int) -> [ValueID] {
            (0..<slices).map {
                builder.image(
                    "\(label).\(name)\($0)", chip: place, type: plan.kvType, count: rows, .zero)
            }
        }
        let rows = lanes / slices
        return Cache(
            keys: regions("keys", blockCount * rows + 1),
            openValues: regions("openValues", rows + 1),
            values: regions("values", blockCount * heads[place].rows(set) / slices))
    }

    /// Appends the token's K row, and its V row to the open block, which is transposed anew: the
    /// identity's rows as activations read its columns.
    mutating func append(
        _ key: ValueID, _ value: ValueID, _ cache: Cache, set: Int, _ label: String
    ) {
        let place = builder[key].chip
        let slices = chip.weightStreamsPerPlane
        let rows = lanes / slices
        var open: [Use] = []
        for slice in 0..<slices {
            _ = builder.scatter(
                into: Use(cache.keys[slice]), rows: blockCount * rows + 1,
                address: shared[place].keyRows[slice].at(), data: key.at(), count: 1,
                name: "\(label).keys\(slice).next")
            open.append(
                Use(
                    builder.scatter(
                        into: Use(cache.openValues[slice]), rows: rows + 1,
                        address: shared[place].valueRows[slice].at(), data: value.at(), count: 1,
                        name: "\(label).openValues\(slice).next")))
        }
        let channels = heads[place].rows(set)
        let columns = chained { l -> ValueID in
            let tile = Tile(open, count: l.lanes)
            let sums = l.builder.matmul(
                [MatmulTerm(Use(l.shared[place].identity), tile)], count: channels)
            return l.cached(sums, "\(label).columns")
        }
        let perBlock = channels / slices
        for slice in 0..<slices {
            _ = builder.scatter(
                into: Use(cache.values[slice]), rows: (blockCount - 1) * perBlock + 1,
                address: shared[place].blockRows[set].at(),
                data: Use(columns, start: slice, step: slices), count: perBlock,
                name: "\(label).values\(slice).next")
        }
    }
}
