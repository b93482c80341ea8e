import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct GoldenVectorTests {
    @Test(arguments: Vector.valid)
    func `a valid frame is decoded, and encoded to the same bytes`(_ vector: Vector) throws {
        let again = try recode(vector.frame, as: vector.message, from: vector.from)
        if vector.reencodes { #expect(again == vector.frame) } else { #expect(again != vector.frame) }
    }

    @Test(arguments: Vector.valid)
    func `a valid frame is the message that it is called`(_ vector: Vector) throws {
        var reader = WireReader(vector.frame.rawSpan)
        _ = try reader.u32()
        let header = try FrameHeader(from: &reader)
        if header.flags.contains(.error) {
            #expect(vector.message == "ERROR")
            #expect(ErrorCode(rawValue: header.status)?.rawValue == header.status)
        } else {
            #expect(MessageKind.candidates(header, from: vector.from).map(\.name).contains(vector.message))
            #expect(header.status == 0)
        }
    }

    @Test(arguments: Vector.broken)
    func `a broken frame is refused with the error that is named`(_ vector: Vector) {
        var refusal: String?
        do throws(WireError) {
            _ = try recode(vector.frame, as: vector.message, from: vector.from, frameBytesMax: vector.frameBytesMax)
        } catch {
            refusal = String(describing: error.code)
        }
        #expect(refusal == vector.error)
    }

    @Test func `every vector has a name of its own in its file`() {
        let vectors = Vector.valid + Vector.broken
        #expect(Vector.valid.count > 80 && Vector.broken.count > 140)
        #expect(Set(vectors.map { "\($0.file) \($0.message) \($0.name)" }).count == vectors.count)
    }

    /// The frames that an opcode is seen in. A new opcode does not compile until it stands here, and has no peace until
    /// it has vectors.
    static func frames(of opcode: Opcode) -> (requests: [Vector.Sender], hasReply: Bool) {
        switch opcode {
        case .heartbeat: ([.client, .server], false)
        case .goodbye: ([.client, .server], true)
        case .add, .complete, .fail, .credit, .debit, .started, .addHeld, .move, .stage, .cancel, .retry, .finish,
            .resolve, .remove, .clean, .setScheduler, .removeScheduler, .report, .update, .clearLogs, .setQueue,
            .promote,
            .removeDeduplication, .setGroup:
            ([.client], false)
        case .deliver, .revoked, .applied, .events, .recall: ([.server], false)
        case .hello, .hold, .release, .subscribe, .unsubscribe, .getJob, .getDependencies, .countDependencies,
            .getDependents, .getFlow, .getFlowNodes, .getFlowEdges, .wait, .getQueue, .getServer, .getTree, .listFlows,
            .getSchedulers, .getAttempts, .getLogs, .getJobs, .listQueues, .getPriorities, .getWorkers,
            .getDeduplication, .listen, .unlisten, .getGroups, .getNextRuns:
            ([.client], true)
        }
    }

    @Test(arguments: Opcode.allCases)
    func `every opcode has vectors for its requests, its reply and an error`(_ opcode: Opcode) {
        func has(_ sender: Vector.Sender, _ flags: FrameFlags) -> Bool {
            Vector.valid.contains {
                $0.from == sender && $0.frame[4] == opcode.rawValue && $0.frame[5] == flags.rawValue
            }
        }
        let (requests, hasReply) = GoldenVectorTests.frames(of: opcode)
        for sender in requests { #expect(has(sender, []), "no \(opcode) from a \(sender)") }
        #expect(has(.server, .reply) == hasReply)
        #expect(has(.server, [.reply, .error]))
    }

    @Test func `every message has a vector`() {
        let seen = Set(Vector.valid.map(\.message))
        for kind in MessageKind.all { #expect(seen.contains(kind.name), "no \(kind.name)") }
    }

    @Test func `the fields of some vectors are what they say`() throws {
        let hello = Hello(
            session: SessionID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210),
            mode: .resume,
            lockDuration: 6000,
            confirmed: 41,
            client: "billing/3"
        )
        #expect(try decode(Hello.self, "a client resumes a session, with what it has confirmed") == hello)

        var options = NodeOptions()
        options.priority = 2_097_151
        options.delay = 315_360_000_000
        options.attempts = 65_535
        options.backoff = Backoff(kind: .exponential, delay: 1000, maximum: 60_000, jitter: 500)
        options.lifo = true
        options.rejectExisting = true
        options.onFailure = .wait
        options.maxStalledCount = 0
        let node = AddNode(
            queue: 0,
            name: "send",
            contentType: .json,
            data: Array(#"{"to":1}"#.utf8),
            customID: "order-7",
            options: options
        )
        let add = Add(sequence: 2, queues: ["mail"], items: [AddItem(isFlow: false, nodes: [node])])
        #expect(try decode(Add.self, "every option") == add)

        let lease = LeaseToken(epoch: 7, counter: 1)
        let delivery = try #require(try decode(Deliver.self, "two deliveries").deliveries.first)
        #expect(delivery.token == lease && delivery.job == JobID(1) && delivery.flow == FlowID(1))
        #expect(delivery.attempts == 3 && delivery.attemptsStarted == 2 && delivery.stalledCount == 1)
        #expect(delivery.priority == 5 && delivery.createdAt == 1_700_000_000_000)
        #expect(delivery.name == "send" && delivery.data == Array("{}".utf8) && !delivery.hasDependencies)

        let failures = try decode(Fail.self, "three failures: plain, for good, with a delay of its own").failures
        #expect(failures.map(\.unrecoverable) == [false, true, false])
        #expect(failures.map(\.delay) == [nil, nil, 0])

        let applied = try decode(Applied.self, "an add of two items, one node of which was there")
        let outcome = applied.outcomes[0].body
        var reader = WireReader(outcome.rawSpan)
        let ids = try AddOutcome(from: &reader).items.map(\.jobIDs)
        #expect(ids == [[JobID(11), JobID(6), JobID(12)], [JobID(13)]])
    }

    private func decode<Message: WireMessage>(_ type: Message.Type, _ name: String) throws -> Message {
        let vector = try #require(Vector.valid.first { $0.name == name })
        let body = Array(vector.frame.dropFirst(FrameHeader.byteCount))
        return try Message(body: body.rawSpan)
    }
}
