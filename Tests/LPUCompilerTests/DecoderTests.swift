import LPUCompiler
import LPUDataflow
import LPULoading
import LPULowering
import LPUMachine
import LPUModel
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct DecoderTests {
    /// The machine's bytes against the program's: the same tokens, one after the other.
    @Test func tokensAreThoseOfTheProgram() throws {
        let compilation = try TinyModel.compiled()
        let weights = HashedWeights(ModelGraph(compilation.model).weights)
        var decoder = try Decoder(compilation, image: try compilation.load(weights))
        var source = ImageBytes(compilation.program, weights: weights)
        var interpreter = try Interpreter(compilation.program) {
            (instance, value) throws(DiagnosticSet) in
            try source.bytes(of: value, in: instance)
        }
        var token = 17
        var cycles: Set<Int> = []
        for position in 0..<2 {
            let (next, statistics) = try decoder.step(token)
            let vector = HostVector.ingress(
                token: token, position: position, on: compilation.machine.chip)
            let answer = HostVector.token(egress: try interpreter.step(ingress: vector))
            #expect(next == answer, "position \(position)")
            #expect((0..<compilation.model.vocabularySize).contains(next))
            cycles.insert(statistics.cycles)
            token = next
        }
        #expect(cycles == [compilation.schedule.claims.length.count])
        #expect(decoder.positions == [2])
    }
}
