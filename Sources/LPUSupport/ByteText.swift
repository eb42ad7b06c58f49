/// A byte count for people: `70.6 GB` (decimal units, as the makers print SRAM sizes).
public func formatted(bytes: Int) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 999.95, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    if unit == 0 { return "\(bytes) B" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// A number with commas between the thousands: `12,345`. - Requires: number >= 0.
public func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    var text = ""
    for (i, digit) in digits.enumerated() {
        if i > 0 && (digits.count - i) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}
