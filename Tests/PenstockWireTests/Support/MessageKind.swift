import PenstockWire

/// A message by its name in the protocol's document, and how to read and write it again.
struct MessageKind: Sendable {
    var name: String
    var opcodes: [Opcode]
    var isReply: Bool
    var senders: [Vector.Sender]
    /// Decodes a body, looks at what a receiver would look at, and encodes it again.
    var recode: @Sendable (RawSpan, inout WireWriter) throws(WireError) -> Void

    init<Message: WireMessage>(
        _ name: String,
        _ type: Message.Type,
        from senders: [Vector.Sender],
        also opcodes: [Opcode] = [],
        look: @escaping @Sendable (Message) throws(WireError) -> Void = { (_: Message) in }
    ) {
        self.name = name
        self.opcodes = [Message.opcode] + opcodes
        self.isReply = Message.isReply
        self.senders = senders
        recode = { (body: RawSpan, writer: inout WireWriter) throws(WireError) in
            let message = try Message(body: body)
            try look(message)
            message.encode(into: &writer)
        }
    }

    static let all: [MessageKind] =
        [
            MessageKind("HELLO", Hello.self, from: [.client]),
            MessageKind("WELCOME", Welcome.self, from: [.server]),
            MessageKind("HEARTBEAT", Heartbeat.self, from: [.client, .server]),
            MessageKind("HOLD", Hold.self, from: [.client]),
            MessageKind("HELD", Held.self, from: [.server]),
            MessageKind("GOODBYE", Goodbye.self, from: [.client, .server]),
            MessageKind("FAREWELL", Farewell.self, from: [.server]),
            MessageKind("ADD", Add.self, from: [.client]) { (add: Add) throws(WireError) in
                try checkQueues(add.queues)
            },
            MessageKind("COMPLETE", Complete.self, from: [.client]),
            MessageKind("FAIL", Fail.self, from: [.client]),
            MessageKind("RELEASE", Release.self, from: [.client]),
            MessageKind("RELEASED", Released.self, from: [.server]),
            MessageKind("SUBSCRIBE", Subscribe.self, from: [.client]) { (subscribe: Subscribe) throws(WireError) in
                try checkQueues(subscribe.queues)
            },
            MessageKind("SUBSCRIBED", Subscribed.self, from: [.server]),
            MessageKind("CREDIT", Credit.self, from: [.client]),
            MessageKind("DEBIT", Debit.self, from: [.client]),
            MessageKind("STARTED", Started.self, from: [.client]),
            MessageKind("RECALL", Recall.self, from: [.server]),
            MessageKind("UNSUBSCRIBE", Unsubscribe.self, from: [.client]),
            MessageKind("UNSUBSCRIBED", Unsubscribed.self, from: [.server]),
            MessageKind("DELIVER", Deliver.self, from: [.server]),
            MessageKind("REVOKED", Revoked.self, from: [.server]),
            MessageKind("APPLIED", Applied.self, from: [.server]) { (applied: Applied) throws(WireError) in
                for outcome in applied.outcomes where !outcome.body.isEmpty { try look(into: outcome) }
            },
            MessageKind("GET_JOB", GetJob.self, from: [.client]),
            MessageKind("JOB", JobView.self, from: [.server], also: [.wait]) { (view: JobView) in
                _ = view.dependencies.total
                _ = view.options.backoff.wait(failures: Int(view.attemptsMade), random: .max)
            },
            MessageKind("GET_DEPENDENCIES", GetDependencies.self, from: [.client]),
            MessageKind("DEPENDENCIES", DependencyPages.self, from: [.server]),
            MessageKind("COUNT_DEPENDENCIES", CountDependencies.self, from: [.client]),
            MessageKind("DEPENDENCY_COUNTS", DependencyTotals.self, from: [.server]) { (totals: DependencyTotals) in
                _ = totals.counts.total
            },
            MessageKind("GET_DEPENDENTS", GetDependents.self, from: [.client]),
            MessageKind("DEPENDENTS", DependentPage.self, from: [.server]),
            MessageKind("GET_FLOW", GetFlow.self, from: [.client]),
            MessageKind("FLOW", FlowView.self, from: [.server], also: [.wait]) { (view: FlowView) in
                _ = view.counts.total
                _ = view.counts.finished
            },
            MessageKind("GET_FLOW_NODES", GetFlowNodes.self, from: [.client]),
            MessageKind("FLOW_NODES", FlowNodePage.self, from: [.server]),
            MessageKind("GET_FLOW_EDGES", GetFlowEdges.self, from: [.client]),
            MessageKind("FLOW_EDGES", FlowEdgePage.self, from: [.server]),
            MessageKind("WAIT", Wait.self, from: [.client]),
            MessageKind("GET_QUEUE", GetQueue.self, from: [.client]) { (get: GetQueue) throws(WireError) in
                try checkQueues([get.queue])
            },
            MessageKind("QUEUE", QueueView.self, from: [.server]) { (view: QueueView) in
                _ = view.counts.total
            },
            MessageKind("GET_LOGS", GetLogs.self, from: [.client]),
            MessageKind("LOGS", LogPage.self, from: [.server]),
            MessageKind("GET_ATTEMPTS", GetAttempts.self, from: [.client]),
            MessageKind("ATTEMPTS", AttemptList.self, from: [.server]),
            MessageKind("GET_SERVER", GetServer.self, from: [.client]),
            MessageKind("SERVER", ServerView.self, from: [.server]),
        ] + held + commands + lists + events

    private static let held: [MessageKind] = [
        MessageKind("ADD_HELD", HeldAdd.self, from: [.client]) { (held: HeldAdd) throws(WireError) in
            try checkQueues(held.add.queues)
        },
        MessageKind("MOVE", Move.self, from: [.client]),
        MessageKind("REPORT", Report.self, from: [.client]),
        MessageKind("STAGE", Stage.self, from: [.client]) { (stage: Stage) throws(WireError) in
            try checkQueues(stage.tail?.queues ?? [])
        },
    ]

    private static let commands: [MessageKind] = [
        MessageKind("CANCEL", Cancel.self, from: [.client]),
        MessageKind("RETRY", Retry.self, from: [.client]),
        MessageKind("FINISH", Finish.self, from: [.client]),
        MessageKind("RESOLVE", Resolve.self, from: [.client]),
        MessageKind("REMOVE", Remove.self, from: [.client]),
        MessageKind("CLEAN", Clean.self, from: [.client]),
        MessageKind("SET_SCHEDULER", SetScheduler.self, from: [.client]) { (set: SetScheduler) throws(WireError) in
            try checkQueues(set.template.queues)
        },
        MessageKind("UPDATE", Update.self, from: [.client]),
        MessageKind("CLEAR_LOGS", ClearLogs.self, from: [.client]),
        MessageKind("REMOVE_SCHEDULER", RemoveScheduler.self, from: [.client]),
        MessageKind("SET_QUEUE", SetQueue.self, from: [.client]),
        MessageKind("PROMOTE", Promote.self, from: [.client]),
        MessageKind("REMOVE_DEDUPLICATION", RemoveDeduplication.self, from: [.client]),
        MessageKind("SET_GROUP", SetGroup.self, from: [.client]),
    ]

    private static let lists: [MessageKind] = [
        MessageKind("GET_TREE", GetTree.self, from: [.client]),
        MessageKind("TREE", FlowTree.self, from: [.server]) { (tree: FlowTree) in
            for row in tree.rows { _ = row.parent.map { tree.rows[Int($0)] } }
        },
        MessageKind("LIST_FLOWS", ListFlows.self, from: [.client]),
        MessageKind("FLOWS", FlowPage.self, from: [.server]) { (page: FlowPage) in
            for row in page.rows { _ = row.counts.total }
        },
        MessageKind("GET_SCHEDULERS", GetSchedulers.self, from: [.client]),
        MessageKind("SCHEDULERS", SchedulerPage.self, from: [.server]),
        MessageKind("GET_NEXT_RUNS", GetNextRuns.self, from: [.client]),
        MessageKind("NEXT_RUNS", NextRunTimes.self, from: [.server]),
        MessageKind("GET_JOBS", GetJobs.self, from: [.client]),
        MessageKind("JOBS", JobPage.self, from: [.server]),
        MessageKind("LIST_QUEUES", ListQueues.self, from: [.client]),
        MessageKind("QUEUES", QueuePage.self, from: [.server]) { (page: QueuePage) in
            for row in page.rows { _ = row.counts.total }
        },
        MessageKind("GET_PRIORITIES", GetPriorities.self, from: [.client]),
        MessageKind("PRIORITIES", PriorityPage.self, from: [.server]),
        MessageKind("GET_GROUPS", GetGroups.self, from: [.client]),
        MessageKind("GROUPS", GroupPage.self, from: [.server]),
        MessageKind("GET_WORKERS", GetWorkers.self, from: [.client]),
        MessageKind("WORKERS", WorkerPage.self, from: [.server]),
        MessageKind("GET_DEDUPLICATION", GetDeduplication.self, from: [.client]),
        MessageKind("DEDUPLICATION", DeduplicationView.self, from: [.server]),
    ]

    private static let events: [MessageKind] = [
        MessageKind("LISTEN", Listen.self, from: [.client]) { (listen: Listen) throws(WireError) in
            if case .queue(let name) = listen.scope { try checkQueues([name]) }
        },
        MessageKind("LISTENING", Listening.self, from: [.server]),
        MessageKind("UNLISTEN", Unlisten.self, from: [.client]),
        MessageKind("UNLISTENED", Unlistened.self, from: [.server]),
        MessageKind("EVENTS", Events.self, from: [.server]),
    ]

    static let error: @Sendable (RawSpan, inout WireWriter) throws(WireError) -> Void = {
        (body: RawSpan, writer: inout WireWriter) throws(WireError) in
        var reader = WireReader(body)
        let error = try ErrorBody(from: &reader)
        try reader.end("the error")
        error.encode(into: &writer)
    }

    /// The messages that a frame with this header can be.
    static func candidates(_ header: FrameHeader, from sender: Vector.Sender) -> [MessageKind] {
        all.filter { kind in
            kind.senders.contains(sender) && kind.isReply == header.flags.contains(.reply)
                && kind.opcodes.contains { $0.rawValue == header.opcode }
        }
    }

    private static func checkQueues(_ queues: [String]) throws(WireError) {
        for queue in queues { try Names.checkQueue(Array(queue.utf8).rawSpan) }
    }

    private static func look(into outcome: Outcome) throws(WireError) {
        var reader = WireReader(outcome.body.rawSpan)
        // A client knows which command a number belongs to; here the length tells them apart.
        switch (outcome.status, outcome.body.count) {
        case (0, 1): _ = try MoveOutcome(from: &reader)
        case (0, 4): _ = try CountOutcome(from: &reader)
        case (0, 9): _ = try SchedulerOutcome(from: &reader)
        case (0, _):
            let add = try AddOutcome(from: &reader)
            for item in add.items { _ = item.jobIDs }
        default: _ = try ErrorBody(from: &reader)
        }
        try reader.end("the outcome")
    }
}

/// What a receiver makes of the bytes of one frame: the message again as bytes, or the error that it is answered with.
func recode(_ bytes: [UInt8], as message: String, from sender: Vector.Sender, frameBytesMax: Int? = nil)
    throws(WireError)
    -> [UInt8]
{
    var splitter = FrameSplitter(frameBytesMax: frameBytesMax ?? Limits.frameBytesMax)
    var writer = WireWriter()
    var frames = 0
    try splitter.push(bytes.rawSpan) { (header: FrameHeader, body: RawSpan) throws(WireError) -> Bool in
        frames += 1
        let start = writer.count
        writer.u32(0)
        writer.u8(header.opcode)
        writer.u8(header.flags.rawValue)
        writer.u16(header.status)
        writer.u32(header.correlation)
        writer.u32(header.stream)
        if header.flags.contains(.error) {
            try MessageKind.error(body, &writer)
        } else {
            let kinds = MessageKind.candidates(header, from: sender)
            guard let kind = kinds.first(where: { $0.name == message }) ?? kinds.first else {
                throw WireError(.unknownOpcode, "Opcode \(header.opcode) is not known.")
            }
            try kind.recode(body, &writer)
        }
        writer.endFrame(start)
        return true
    }
    guard frames == 1, !splitter.isInsideFrame else { throw WireError(.malformed, "\(frames) frames, not one.") }
    return writer.bytes
}
