public import LPUDataflow
public import LPUMachine
public import LPUSupport

/// Places all that rests in SRAM before cycle 0, weights, caches and tables, as `schedule` does,
/// and nothing else: whether there is room is known in a fraction of the time.
///
/// What passes between ops finds rows or not only when it is timed; it rests next to the VXM, where
/// much is left.
/// - Requires: the program is legal.
/// - Throws: what `schedule` throws where rows run out.
public func checkCapacity(
    of program: Program, on machine: Machine
) throws(Infeasibility) {
    try withRoom { (room) throws(Infeasibility) in
        var assembly = Assembly(
            program: program, machine: machine, strategy: .list, room: room)
        try assembly.placeTemplates { (placer) throws(Infeasibility) in try placer.placeImages() }
        _ = try assembly.slotOffsets()
    }
}

extension Placer {
    /// Gives images their rows in the order in which `run` comes to them.
    fileprivate func placeImages() throws(Infeasibility) {
        try choosePlanes()
        try placeRegions()
        try placeTables()
        try placeExchangeSlots()
        for bundle in bundles {
            for o in bundle.ops {
                let op = template.ops[o]
                for use in tileUseOf[o] { try placeTiles(from: use) }
                switch op.kind {
                case .gather(let table, _, _): _ = try blockPlace(table.value)
                case .scatter(let region, _, _, _):
                    _ = try blockPlace(region.value)
                    regionReady[op.result.index] = 1
                case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select,
                    .transpose, .transfer, .ingress, .egress, .pack, .byte:
                    for use in op.vectorOperands {
                        for i in 0..<op.count { try ensureImage(use.value, use.vector(i)) }
                    }
                }
            }
        }
    }

    /// The tile of a use, and the next one of each of its planes, which is loaded meanwhile.
    private func placeTiles(from use: Int) throws(Infeasibility) {
        guard !tileUses[use].isInstalled else { return }
        try placeTile(of: use)
        tileUses[use].isInstalled = true
        let planes = held(tileUses[use].plane, tileUses[use].type)
        let place = tileUses[use].place
        for p in planes { self.planes[place][p].installed += 1 }
        for p in planes {
            let state = self.planes[place][p]
            guard state.installed < state.uses.count, mayLoad(state.uses[state.installed]) else {
                continue
            }
            try placeTile(of: state.uses[state.installed])
        }
    }

    private func placeTile(of use: Int) throws(Infeasibility) {
        guard tileUses[use].loaded == nil else { return }
        tileUses[use].loaded = 0
        let (tile, type) = (tileUses[use].tile, tileUses[use].type)
        _ = try weightRows(tile, type: type, on: tileUses[use].plane, place: tileUses[use].place)
    }
}

extension Op {
    /// Operands that are read vector by vector, not as tiles or by address.
    fileprivate var vectorOperands: [Use] {
        switch kind {
        case .matmul(let terms): terms.map(\.activation)
        case .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose, .gather,
            .scatter, .transfer, .ingress, .egress, .pack, .byte:
            operands
        }
    }
}
