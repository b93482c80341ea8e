import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct RoundTripTests {
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a random message is read as it was written`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        try check(random.hello(), &random)
        try check(random.welcome(), &random)
        try check(Heartbeat(number: random.number()), &random)
        try check(Hold(tokens: random.list { $0.token() }), &random)
        try check(Held(fenced: random.list { $0.token() }), &random)
        try check(Goodbye(), &random)
        try check(Farewell(), &random)
        try check(random.add(), &random)
        let completions = [random.completion()] + random.list { $0.completion() }
        try check(Complete(sequence: random.number(), completions: completions), &random)
        let failures = [random.failure()] + random.list { $0.failure() }
        try check(Fail(sequence: random.number(), failures: failures), &random)
        try check(Release(tokens: random.list { $0.token() }), &random)
        try check(Released(fenced: random.list { $0.token() }), &random)
        try check(random.subscribe(), &random)
        try check(Subscribed(heartbeat: random.number()), &random)
        try check(Credit(jobs: random.number(), bytes: random.number()), &random)
        try check(Debit(jobs: random.number(), bytes: random.number()), &random)
        try check(Started(leases: random.list { Started.Lease(slot: $0.number(), token: $0.token()) }), &random)
        try check(Recall(tokens: random.list { $0.token() }), &random)
        try check(Unsubscribe(), &random)
        try check(Unsubscribed(), &random)
        try check(Deliver(deliveries: random.list { $0.delivery() }), &random)
        try check(Revoked(leases: random.list { $0.revokedLease() }), &random)
        try check(Applied(commit: random.number(), outcomes: random.list { $0.outcome() }), &random)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a random read and its reply are read as they were written`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        try check(GetJob(job: .id(random.job())), &random)
        try check(GetJob(job: .custom(queue: random.text(), id: random.text())), &random)
        try check(random.jobView(), &random)
        let pages = DependencyKind.allCases.map {
            GetDependencies.Page(kind: $0, cursor: random.number(), rows: random.number())
        }
        try check(GetDependencies(job: random.job(), pages: pages), &random)
        try check(DependencyPages(commit: random.number(), pages: random.list { $0.dependencyPage() }), &random)
        try check(CountDependencies(job: random.job()), &random)
        try check(DependencyTotals(commit: random.number(), counts: random.dependencyCounts()), &random)
        try check(GetDependents(job: random.job(), cursor: random.number(), rows: random.number()), &random)
        let dependents = random.list { DependentPage.Row(job: $0.job(), queue: $0.text(), name: $0.text()) }
        try check(DependentPage(commit: random.number(), next: random.number(), rows: dependents), &random)
        try check(GetFlow(flow: random.flow()), &random)
        try check(random.flowView(), &random)
        try check(GetFlowNodes(flow: random.flow(), cursor: random.number(), rows: random.number()), &random)
        let nodes = random.list { $0.flowNodeRow() }
        try check(FlowNodePage(commit: random.number(), next: random.number(), rows: nodes), &random)
        let cursor = FlowEdgeCursor(job: random.job(), position: random.number())
        try check(GetFlowEdges(flow: random.flow(), cursor: cursor, rows: random.number()), &random)
        let edges = random.list { $0.flowEdgeRow() }
        try check(FlowEdgePage(commit: random.number(), next: cursor, rows: edges), &random)
        try check(Wait(target: .job(random.job()), timeout: random.number()), &random)
        try check(Wait(target: .flow(random.flow()), timeout: random.number()), &random)
        try check(GetQueue(queue: random.text()), &random)
        try check(GetAttempts(job: random.job()), &random)
        try check(AttemptList(commit: random.number(), rows: random.list { $0.attempt() }), &random)
        try check(GetLogs(job: random.job(), cursor: random.number(), rows: random.number()), &random)
        let lines = random.list { LogPage.Row(number: $0.number(), time: $0.number(), text: $0.text()) }
        let log = LogPage(commit: random.number(), next: random.number(), lines: random.number(), rows: lines)
        try check(log, &random)
        try check(random.queueView(), &random)
        try check(GetServer(), &random)
        try check(random.serverView(), &random)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a random command is read as it was written`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        try check(random.heldAdd(), &random)
        try check(random.move(), &random)
        try check(random.stage(), &random)
        try check(random.report(), &random)
        try check(random.update(), &random)
        try check(ClearLogs(sequence: random.number(), job: random.job(), keep: random.number()), &random)
        try check(random.cancel(), &random)
        try check(random.retry(), &random)
        try check(random.finish(), &random)
        try check(random.resolve(), &random)
        try check(random.remove(), &random)
        try check(random.clean(), &random)
        try check(random.setScheduler(), &random)
        try check(RemoveScheduler(sequence: random.number(), id: random.text(least: 1)), &random)
        try check(random.setQueue(), &random)
        try check(random.promote(), &random)
        let (sequence, queue, id) = (random.number(UInt64.self), random.text(120, least: 1), random.text(least: 1))
        try check(RemoveDeduplication(sequence: sequence, queue: queue, id: id, job: random.job()), &random)
        try check(random.setGroup(), &random)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a random list and what asks for it are read as they were written`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        try check(GetTree(job: random.job(), depth: random.number(), width: random.number()), &random)
        try check(random.flowTree(), &random)
        try check(random.listFlows(), &random)
        try check(random.flowPage(), &random)
        try check(GetSchedulers(after: random.text(), rows: random.number()), &random)
        try check(random.schedulerPage(), &random)
        let count = UInt32(1 + random.list { _ in 0 }.count)
        try check(GetNextRuns(id: random.text(), count: count), &random)
        try check(NextRunTimes(commit: random.number(), times: random.list { $0.number() }), &random)
        try check(random.getJobs(), &random)
        try check(random.jobPage(), &random)
        try check(ListQueues(cursor: random.number(), rows: random.number()), &random)
        try check(random.queuePage(), &random)
        try check(GetPriorities(queue: random.text(), cursor: random.number(), rows: random.number()), &random)
        try check(random.priorityPage(), &random)
        try check(random.getGroups(), &random)
        try check(random.groupPage(), &random)
        try check(GetWorkers(queue: random.text(), cursor: random.number(), rows: random.number()), &random)
        try check(random.workerPage(), &random)
        try check(GetDeduplication(queue: random.text(120, least: 1), id: random.text(least: 1)), &random)
        let commit = random.number(UInt64.self)
        try check(
            DeduplicationView(commit: commit, job: random.job(), hasKept: random.bool(), endsIn: random.number()),
            &random
        )
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `a random event and what asks for it are read as they were written`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        try check(random.listen(), &random)
        try check(Listening(sequence: random.number()), &random)
        try check(Unlisten(), &random)
        try check(Unlistened(), &random)
        let events = random.list { $0.event() }
        try check(Events(lost: random.number(), events), &random)
        for event in events {
            var writer = WireWriter()
            event.encode(into: &writer)
            #expect(writer.count == event.byteCount)
        }
    }

    @Test func `an option that is given is sent though it is at its default`() throws {
        var writer = WireWriter()
        let node = AddNode(queue: 0, name: "a", explicit: .all)
        AddTail(queues: ["q"], items: [AddItem(kind: .job, nodes: [node])]).encode(into: &writer)
        let bytes = writer.bytes
        var decoder = try AddDecoder(tail: bytes.rawSpan, .add)
        _ = try decoder.nextQueue()
        _ = try decoder.itemCount()
        _ = try decoder.nextItem()
        var defaults = NodeOptions()
        defaults.priority = 3
        defaults.delay = 3
        defaults.attempts = 3
        defaults.backoff = Backoff(kind: .fixed, delay: 3, maximum: 0, jitter: 0)
        defaults.onFailure = .wait
        defaults.maxStalledCount = 3
        defaults.keepLogs = 3
        decoder.defaults[0] = defaults
        #expect(try decoder.nextNode().options == .default)
    }

    @Test func `the short outcomes are read as they were written`() throws {
        for flag in [false, true] {
            var writer = WireWriter()
            MoveOutcome(hasMoved: flag).encode(into: &writer)
            SchedulerOutcome(isNew: flag, next: 7).encode(into: &writer)
            CountOutcome(jobs: 9).encode(into: &writer)
            let bytes = writer.bytes
            var reader = WireReader(bytes.rawSpan)
            #expect(try MoveOutcome(from: &reader) == MoveOutcome(hasMoved: flag))
            #expect(try SchedulerOutcome(from: &reader) == SchedulerOutcome(isNew: flag, next: 7))
            #expect(try CountOutcome(from: &reader) == CountOutcome(jobs: 9))
            try reader.end("them")
        }
    }

    @Test func `an add's outcome is read as it was written, and gives every node its id`() throws {
        let items = [
            AddOutcome.Item(
                flow: FlowID(3),
                first: JobID(11),
                nodes: 4,
                existing: [.init(node: 0, reason: .kept, job: JobID(2)), .init(node: 3, job: JobID(9))]
            ),
            AddOutcome.Item(flow: .none, first: JobID(13), nodes: 1),
        ]
        var writer = WireWriter()
        AddOutcome(items: items).encode(into: &writer)
        let bytes = writer.bytes
        var reader = WireReader(bytes.rawSpan)
        let outcome = try AddOutcome(from: &reader)
        #expect(outcome == AddOutcome(items: items))
        #expect(outcome.items[0].jobIDs.map(\.rawValue) == [2, 11, 12, 9])
        #expect(outcome.items[1].jobIDs.map(\.rawValue) == [13])
    }

    @Test func `an add's outcome that can't be is refused`() {
        let tooMany = UInt32(Limits.jobsPerAddMax)
        let broken = [
            [AddOutcome.Item(flow: .none, first: JobID(1), nodes: tooMany + 1)],
            [
                AddOutcome.Item(flow: .none, first: JobID(1), nodes: tooMany),
                AddOutcome.Item(flow: .none, first: JobID(1), nodes: 1),
            ],
            [AddOutcome.Item(flow: .none, first: JobID(1), nodes: 2, existing: [.init(node: 2, job: JobID(1))])],
            [
                AddOutcome.Item(
                    flow: .none,
                    first: JobID(1),
                    nodes: 2,
                    existing: [.init(node: 1, job: JobID(1)), .init(node: 1, job: JobID(1))]
                )
            ],
        ]
        for items in broken {
            var writer = WireWriter()
            AddOutcome(items: items).encode(into: &writer)
            let bytes = writer.bytes
            #expect(throws: WireError.self) {
                var reader = WireReader(bytes.rawSpan)
                _ = try AddOutcome(from: &reader)
            }
        }
    }

    @Test func `ids at the end of the numbers do not overflow`() {
        let item = AddOutcome.Item(flow: .none, first: JobID(.max), nodes: 2)
        #expect(item.jobIDs.count == 2)
        let counts = DependencyCounts(unprocessed: .max, processed: .max, ignored: .max, failed: .max)
        #expect(counts.total == .max)
        var states = StateCounts()
        for state in JobState.allCases { states[state] = .max }
        #expect(states.total == .max && states.finished == .max)
    }

    @Test func `an error's message is cut between two scalars, however long a character is`() throws {
        let letter = "e" + String(repeating: "\u{301}", count: 40_000)
        for text in [letter, String(repeating: "流", count: 3000), String(repeating: "x", count: 4096), ""] {
            var writer = WireWriter()
            writer.errorFrame(WireError(.cycle, text), opcode: 0x10, correlation: 3)
            let body = Array(writer.bytes.dropFirst(FrameHeader.byteCount))
            var reader = WireReader(body.rawSpan)
            let error = try ErrorBody(from: &reader)
            #expect(reader.remaining == 0)
            #expect(error.message.utf8.count <= Limits.errorMessageBytesMax)
            #expect(error.message.utf8.count > Limits.errorMessageBytesMax - 4 || error.message == text)
            #expect(text.utf8.starts(with: error.message.utf8))
            #expect(error.errorClass == .callersMistake)
        }
    }

    @Test func `a class of a later version reads as the server's`() throws {
        let body: [UInt8] = [200, 0, 0]
        var reader = WireReader(body.rawSpan)
        #expect(try ErrorBody(from: &reader).errorClass == .server)
    }

    private func check<Message: WireMessage>(_ message: Message, _ random: inout SeededRandom) throws {
        let correlation = random.number(UInt32.self)
        let stream = random.number(UInt32.self)
        var writer = WireWriter(capacity: 1)
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream, flags: .quiet)
        let bytes = writer.bytes
        var splitter = FrameSplitter()
        var frames = 0
        try splitter.push(bytes.rawSpan) { (header: FrameHeader, body: RawSpan) throws(WireError) -> Bool in
            frames += 1
            #expect(header.opcode == Message.opcode.rawValue)
            #expect(header.flags == (Message.isReply ? [.reply, .quiet] : .quiet))
            #expect(header.correlation == correlation && header.stream == stream && header.status == 0)
            let read = try Message(body: body)
            #expect(read == message)
            return true
        }
        #expect(frames == 1)
    }
}
