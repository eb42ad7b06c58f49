import LPUSupport

extension Machine {
    /// The machines that come with the project, each a `.machine` file embedded in the code.
    public static var presetNames: [String] { presets.map(\.name) }

    /// The preset of that name, or nil. O(its text); keep the result.
    public static func preset(named name: String) -> Machine? {
        guard let text = presetText(named: name) else { return nil }
        do throws(DiagnosticSet) {
            return try Machine(parsing: text, file: name + ".machine")
        } catch {
            preconditionFailure("a preset is broken:\n\(error)")
        }
    }

    /// The file of the preset of that name: what a user's own machine may start from.
    public static func presetText(named name: String) -> String? {
        presets.first { $0.name == name }.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    private static let presets: [(name: String, bytes: [UInt8])] = [
        ("groqchip1", PackageResources.groqchip1_machine),
        ("node8", PackageResources.node8_machine),
        ("dragonfly256", PackageResources.dragonfly256_machine),
        ("quadfour576", PackageResources.quadfour576_machine),
        ("lp30", PackageResources.lp30_machine),
        ("lp30-nominal", PackageResources.lp30_nominal_machine),
        ("lpx256", PackageResources.lpx256_machine),
        ("lpx256-b", PackageResources.lpx256_b_machine),
        ("lpx256-c", PackageResources.lpx256_c_machine),
        ("lpx256-reach", PackageResources.lpx256_reach_machine),
    ]
}
