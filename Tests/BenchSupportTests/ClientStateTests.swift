import BenchSupport
import PenstockWire
import Testing

@testable import PenstockBench

struct ClientStateTests {
    private func state(framesInFlightMax: Int = 8) -> ClientState {
        ClientState(session: SessionNumbers(framesInFlightMax: framesInFlightMax, addWindowBytes: 1000))
    }

    private func delivery(_ slot: UInt32) -> Delivery {
        Delivery(
            slot: slot,
            token: LeaseToken(UInt64(slot) + 100),
            job: JobID(UInt64(slot) + 1),
            flow: .none,
            queue: 0,
            attempts: 1,
            attemptsMade: 0,
            hasDependencies: false,
            contentType: .binary,
            attemptsStarted: 1,
            stalledCount: 0,
            priority: 0,
            createdAt: 1,
            name: "job",
            data: [1, 2, 3]
        )
    }

    private func receive<Message: WireMessage>(
        _ message: Message,
        into state: inout ClientState,
        at now: UInt64 = 1000
    ) throws {
        var writer = WireWriter()
        message.encode(into: &writer)
        try state.receive(FrameHeader(Message.opcode), writer.span, at: now)
    }

    private func outcome(_ sequence: UInt64, _ count: UInt32, status: ErrorCode = .ok, body: [UInt8] = []) -> Outcome {
        Outcome(sequence: sequence, count: count, index: 0, status: status.rawValue, body: body)
    }

    /// The frames that the state writes at that time.
    private func completions(_ state: inout ClientState, at now: UInt64) throws -> [Complete] {
        var writer = WireWriter()
        state.writeAnswers(into: &writer, at: now)
        var splitter = FrameSplitter()
        var frames: [Complete] = []
        try splitter.push(writer.span) { _, body throws(WireError) in
            frames.append(try Complete(body: body))
            return true
        }
        return frames
    }

    @Test func `deliveries are completed in one frame, with their slots and tokens`() throws {
        var state = state()
        try receive(Deliver(deliveries: [delivery(0), delivery(7)]), into: &state)
        let expected = Complete(
            sequence: 1,
            completions: [
                Completion(slot: 0, token: LeaseToken(100)), Completion(slot: 7, token: LeaseToken(107)),
            ]
        )
        #expect(try completions(&state, at: 1000) == [expected])
        #expect(state.delivered == 2 && state.held == 0 && state.session.commandsInFlight == 2)
    }

    @Test func `jobs fail for good where that is the verdict`() throws {
        var state = state()
        state.verdict = .failed
        try receive(Deliver(deliveries: [delivery(7)]), into: &state)
        var writer = WireWriter()
        state.writeAnswers(into: &writer, at: 1000)
        var expected = WireWriter()
        let failure = Failure(slot: 7, token: LeaseToken(107), unrecoverable: true, message: "")
        Fail(sequence: 1, failures: [failure]).encodeFrame(into: &expected)
        #expect(writer.bytes == expected.bytes)
    }

    @Test func `the journal tells which jobs came, and how many had been answered by then`() throws {
        var state = state()
        state.journal = DeliveryJournal()
        try receive(Deliver(deliveries: [delivery(0), delivery(7)]), into: &state)
        _ = try completions(&state, at: 1000)
        try receive(Deliver(deliveries: [delivery(3)]), into: &state)
        #expect(state.journal?.entries.map(\.job) == [JobID(1), JobID(8), JobID(4)])
        #expect(state.journal?.entries.map(\.answeredBefore) == [0, 0, 2])
    }

    @Test func `the ids of an add are kept where they are wanted`() throws {
        var state = state()
        let ids = AddOutcome(items: [.init(flow: FlowID(3), first: JobID(4), nodes: 2)])
        var body = WireWriter()
        ids.encode(into: &body)
        for isWanted in [false, true] {
            state.wantsAddOutcome = isWanted
            let sequence = state.session.take(1, addBytes: 10, at: 1)
            try receive(Applied(commit: 1, outcomes: [outcome(sequence, 1, body: body.bytes)]), into: &state)
            #expect(state.takeAddOutcome() == (isWanted ? ids : nil))
        }
        #expect(state.takeAddOutcome() == nil)
    }

    @Test func `a held job is completed when its time has come`() throws {
        var state = state()
        state.holdNanoseconds = 500
        try receive(Deliver(deliveries: [delivery(0)]), into: &state, at: 1000)
        try receive(Deliver(deliveries: [delivery(1)]), into: &state, at: 1200)
        #expect(try completions(&state, at: 1499).isEmpty)
        #expect(try completions(&state, at: 1500).map(\.completions.count) == [1])
        #expect(try completions(&state, at: 1700).map(\.sequence) == [2])
    }

    @Test func `more jobs than a frame may hold take several frames`() throws {
        var state = state()
        let half = (0..<2500).map { delivery(UInt32($0)) }
        try receive(Deliver(deliveries: half), into: &state)
        try receive(Deliver(deliveries: half), into: &state)
        let frames = try completions(&state, at: 1000)
        #expect(frames.map(\.sequence) == [1, 4097])
        #expect(frames.map(\.completions.count) == [4096, 904])
    }

    @Test func `frames beyond those in flight wait for outcomes`() throws {
        var state = state(framesInFlightMax: 1)
        try receive(Deliver(deliveries: [delivery(0)]), into: &state)
        #expect(try completions(&state, at: 1000).count == 1)
        try receive(Deliver(deliveries: [delivery(1)]), into: &state)
        #expect(try completions(&state, at: 1000).isEmpty)
        try receive(Applied(commit: 1, outcomes: [outcome(1, 1)]), into: &state)
        #expect(try completions(&state, at: 1000).map(\.sequence) == [2])
    }

    @Test func `the heartbeat confirms the outcomes that came`() throws {
        var state = state()
        try receive(Deliver(deliveries: [delivery(0), delivery(1), delivery(2)]), into: &state)
        _ = try completions(&state, at: 1000)
        try receive(Applied(commit: 1, outcomes: [outcome(1, 2)]), into: &state, at: 3000)
        var writer = WireWriter()
        state.writeHeartbeat(into: &writer)
        var expected = WireWriter()
        Heartbeat(number: 2).encodeFrame(into: &expected)
        #expect(writer.bytes == expected.bytes)
        #expect(state.acknowledged == 2 && state.lastOutcomeAt == 3000)
    }

    @Test func `outcomes of commands that are not in flight are an error`() throws {
        var state = state()
        try receive(Deliver(deliveries: [delivery(0), delivery(1)]), into: &state)
        _ = try completions(&state, at: 1000)
        for outcome in [outcome(2, 1), outcome(1, 3), outcome(1, 0)] {
            let error = #expect(throws: WireError.self) {
                try receive(Applied(commit: 1, outcomes: [outcome]), into: &state)
            }
            #expect(error?.code == .badSequence)
        }
    }

    @Test func `a refused command counts, and the first one's reason is kept`() throws {
        var state = state()
        try receive(Deliver(deliveries: [delivery(0), delivery(1)]), into: &state)
        _ = try completions(&state, at: 1000)
        var body = WireWriter()
        ErrorBody(WireError(.fenced, "gone")).encode(into: &body)
        let fenced = [outcome(1, 1, status: .fenced, body: body.bytes), outcome(2, 1, status: .fenced)]
        try receive(Applied(commit: 1, outcomes: fenced), into: &state)
        #expect(state.acknowledged == 2 && state.refused == 2)
        #expect(state.firstRefusal == WireError(.fenced, "400: gone"))
    }

    @Test func `with one credit the latency goes from a completion to the next delivery`() throws {
        var state = state()
        try receive(Deliver(deliveries: [delivery(0)]), into: &state, at: 1000)
        _ = try completions(&state, at: 1100)
        try receive(Deliver(deliveries: [delivery(0)]), into: &state, at: 1350)
        #expect(state.nextJobLatency.count == 1 && state.nextJobLatency.max == 250)
    }

    @Test func `a deliver that ends too early is refused`() throws {
        var writer = WireWriter()
        Deliver(deliveries: [delivery(0), delivery(1)]).encode(into: &writer)
        for length in 0..<writer.count {
            var state = state()
            #expect(throws: WireError.self) {
                try state.receive(FrameHeader(.deliver), writer.span.extracting(first: length), at: 1)
            }
        }
    }

    @Test func `a reply is kept until it is taken`() throws {
        var state = state()
        var writer = WireWriter()
        Subscribed(heartbeat: 10).encode(into: &writer)
        try state.receive(FrameHeader(.subscribe, flags: .reply, correlation: 3), writer.span, at: 1)
        let reply = state.takeReply()
        #expect(reply?.correlation == 3 && reply?.error == nil && reply?.body == writer.bytes)
        #expect(state.takeReply() == nil)
    }

    @Test func `a soft error is a reply, a hard one ends the connection`() throws {
        var state = state()
        var writer = WireWriter()
        ErrorBody(WireError(.invalidQueueName, "no")).encode(into: &writer)
        let soft = FrameHeader(.subscribe, flags: [.reply, .error], status: .invalidQueueName, correlation: 1)
        try state.receive(soft, writer.span, at: 1)
        #expect(state.takeReply()?.error?.code == .invalidQueueName)
        let hard = FrameHeader(.goodbye, flags: [.reply, .error], status: .heartbeatMissed)
        let error = #expect(throws: WireError.self) { try state.receive(hard, writer.span, at: 1) }
        #expect(error?.code == .heartbeatMissed)
    }
}
