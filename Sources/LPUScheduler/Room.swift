import LPUSupport

/// How rows near the VXM are dealt out.
struct Room {
    /// How many times the rows that results take in the mean are kept from tables.
    var reserve: Int
    /// `true` iff what ends with a template rests where that of others does, behind all tables.
    var isShared = false
}

/// Calls `body` with the room that tables leave to results: more where banks are so uneven that
/// rows run out, or less where a table finds none near the VXM, and where that does not help
/// either, the same rows for all templates.
func withRoom<Result>(
    _ body: (Room) throws(Infeasibility) -> Result
) throws(Infeasibility) -> Result {
    do throws(Infeasibility) {
        return try body(Room(reserve: 2))
    } catch {
        guard error.id == "sram-capacity" else { throw error }
        for room in [Room(reserve: 4), Room(reserve: 1), Room(reserve: 1, isShared: true)] {
            if let result = try? body(room) { return result }
        }
        throw error
    }
}
