import LPUSupport

/// How rows are dealt out.
struct Room {
    /// How many times the rows that results take in the mean are kept from tables near the VXM.
    var reserve: Int
    /// `true` iff of several placers of a template the one of the fewest rows is taken, not the
    /// shortest.
    var isScarce = true
    /// `true` iff what ends with a template rests where that of others does, behind all tables.
    var isShared = false
}

/// Calls `body` with the room that tables leave to results. Where rows run out, templates take as
/// few as they can; then tables leave more where banks are uneven, or less where a table finds none
/// near the VXM, and where that does not help either, all templates have the same rows.
func withRoom<Result>(
    _ body: (Room) throws(Infeasibility) -> Result
) throws(Infeasibility) -> Result {
    do throws(Infeasibility) {
        return try body(Room(reserve: 2, isScarce: false))
    } catch {
        try error.throwUnlessOfRows()
        let rooms = [2, 4, 1].map { Room(reserve: $0) } + [Room(reserve: 1, isShared: true)]
        for room in rooms {
            do throws(Infeasibility) { return try body(room) } catch {
                try error.throwUnlessOfRows()
            }
        }
        throw error
    }
}

extension Infeasibility {
    /// What another room may help against is not thrown.
    fileprivate func throwUnlessOfRows() throws(Infeasibility) {
        if id != "sram-capacity" { throw self }
    }
}
