import ArgumentParser
import LPUMachine

struct Machines: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the machines, or show one with the source of every number.")

    @Argument(help: "A preset or a machine file.")
    var name: String?

    @Flag(help: "Print the machine file, from which to make one of your own.")
    var file = false

    func validate() throws {
        if file && name == nil { throw ValidationError("--file needs the name of a machine") }
    }

    func run() throws {
        guard let name else {
            for name in Machine.presetNames {
                let machine = try lpuc.machine(named: name)
                let chips = "\(machine.chipCount) chip\(machine.chipCount == 1 ? "" : "s")"
                let column = name + String(repeating: " ", count: max(1, 16 - name.count))
                Console.print("\(column)\(chips), \(machine.chip.clockMegahertz) MHz\n")
            }
            return
        }
        let machine = try lpuc.machine(named: name)
        Console.print(file ? machine.text : machine.summary().joined(separator: "\n") + "\n")
    }
}
