import ArgumentParser
import Foundation
import LPUSimulator
import LPUSupport

/// Exit status: 0 done, 1 diagnostics or violations, 2 does not fit, 64 usage.
@main struct LPUC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lpuc",
        abstract: "Schedules transformers onto LPU racks, cycle by cycle.",
        subcommands: [
            PlanCommand.self, Compile.self, Verify.self, Simulate.self, Run.self, Embed.self,
            Draw.self, Explain.self, Machines.self, AllReduceCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let diagnostics as DiagnosticSet {
            Console.complain(diagnostics.description)
            Foundation.exit(1)
        } catch let infeasibility as Infeasibility {
            Console.complain(infeasibility.description)
            Foundation.exit(2)
        } catch let fault as Fault {
            Console.complain(fault.description)
            Foundation.exit(1)
        } catch {
            Self.exit(withError: error)
        }
    }
}
