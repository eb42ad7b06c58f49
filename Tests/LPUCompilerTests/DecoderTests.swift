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

    /// A chunk of a prompt is read as its tokens are, in fewer cycles.
    @Test func chunkIsReadAsItsTokens() throws {
        let plain = try TinyModel.compiled()
        let weights = HashedWeights(ModelGraph(plain.model).weights)
        let compilation = try Compiler(machine: plain.machine)
            .compile(plain.model, plan: plain.plan, prefill: 16)
        let prefill = try #require(compilation.prefill)
        #expect(compilation.schedule == plain.schedule)
        #expect(prefill.isAccepted, "\(prefill.complaint)")
        #expect(prefill.program.digest == prefill.schedule.program)
        let image = try compilation.load(weights)
        var chunks = try Decoder(compilation, image: image)
        var steps = try Decoder(plain, image: try plain.load(weights))
        let prompt = (0..<17).map { 37 * $0 % plain.model.vocabularySize }
        #expect(chunks.chunk(of: 15) == 0 && chunks.chunk(of: 17) == 16)
        #expect(steps.chunk(of: 17) == 0, "there is no prefill")
        for few in [[], Array(prompt.prefix(15))] {
            #expect { try chunks.prefill(few) } throws: { error in
                (error as? DiagnosticSet)?.diagnostics.map(\.id) == ["decode-chunk"]
            }
        }
        let statistics = try chunks.prefill(Array(prompt.prefix(16)))
        for token in prompt.prefix(16) { _ = try steps.step(token) }
        #expect(chunks.positions == [16] && chunks.cacheDigest == steps.cacheDigest)
        #expect(try chunks.step(prompt[16]).next == steps.step(prompt[16]).next)
        #expect(chunks.cacheDigest == steps.cacheDigest)
        let cycles = prefill.schedule.claims.length.count
        #expect(statistics.cycles == cycles)
        #expect(cycles < 4 * plain.schedule.claims.length.count)
        print("tiny-llama: 16 tokens in \(cycles) cycles, a step \(plain.schedule.claims.length)")
    }
}
