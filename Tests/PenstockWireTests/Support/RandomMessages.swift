import PenstockWire

/// Random messages, valid ones, of every kind.
extension SeededRandom {
    mutating func token() -> LeaseToken { LeaseToken(number()) }
    mutating func job() -> JobID { JobID(number()) }
    mutating func flow() -> FlowID { FlowID(number()) }
    mutating func session() -> SessionID { SessionID(high: number(), low: number()) }
    mutating func contentType() -> ContentType { ContentType(rawValue: number()) }

    mutating func options() -> NodeOptions {
        var options = NodeOptions()
        if bool() { options.priority = number() & Limits.priorityMax }
        if bool() { options.delay = number() % (Limits.delayMillisecondsMax + 1) }
        if bool() { options.attempts = max(1, number()) }
        if bool() {
            options.backoff = Backoff(
                kind: one(of: BackoffKind.allCases),
                delay: number() % (Limits.delayMillisecondsMax + 1),
                maximum: number() % (Limits.delayMillisecondsMax + 1),
                jitter: number() % 1001
            )
        }
        options.lifo = bool()
        options.rejectExisting = bool()
        options.onFailure = one(of: FailurePolicy.allCases)
        options.maxStalledCount = number()
        options.cancelSiblings = bool()
        if bool() { options.repeatEvery = number() % Limits.delayMillisecondsMax + 1 }
        options.keepCompleted = bool() ? retention() : nil
        options.keepFailed = bool() ? retention() : nil
        if bool() { options.timeout = number() % Limits.delayMillisecondsMax + 1 }
        if bool() { options.ttl = number() % Limits.delayMillisecondsMax + 1 }
        if bool() { options.keepLogs = number() % (Limits.keepLogsMax + 1) }
        if bool() { options.maxStarted = max(1, number()) }
        if options.delay == 0 && bool() { options.at = number() % Limits.wallMillisecondsMax + 1 }
        return options
    }

    mutating func headers() -> Headers {
        guard bool() else { return Headers() }
        return Headers((0..<1 + below(4)).map { Headers.Entry("\($0)" + text(100), text(1000)) })
    }

    mutating func deduplication() -> Deduplication {
        let ttl: UInt64 = bool() ? 1 + number() % Limits.delayMillisecondsMax : 0
        return Deduplication(
            id: text(least: 1),
            ttl: ttl,
            extends: ttl > 0 && bool(),
            replaces: bool(),
            keepsLastIfActive: ttl == 0 && bool()
        )
    }

    /// Gives the node a deduplication, now and then and where it can have one.
    private mutating func deduplicate(_ node: inout AddNode) {
        guard bool(), node.dependencies.isEmpty, node.options.repeatEvery == 0 else { return }
        var deduplication = deduplication()
        if node.customID != nil { deduplication.keepsLastIfActive = false }
        node.deduplication = deduplication
    }

    mutating func dependency() -> DependencyFields {
        DependencyFields(
            bool() ? .node(number()) : .job(job()),
            policy: bool() ? one(of: FailurePolicy.allCases) : nil,
            condition: one(of: EdgeCondition.allCases)
        )
    }

    mutating func node(queues: Int, hasKey: Bool = false) -> AddNode {
        AddNode(
            queue: UInt16(below(queues)),
            name: text(least: 1),
            contentType: contentType(),
            data: bytes(),
            dependencies: list { $0.dependency() },
            customID: bool() ? "n" + text(200) : nil,
            childKey: hasKey && bool() ? text(least: 1) : nil,
            headers: headers(),
            group: bool() ? text(least: 1) : nil,
            options: options()
        )
    }

    mutating func item(queues: Int, _ context: AddContext = .add, isFirst: Bool = false) -> AddItem {
        let kind: ItemKind = isFirst && context.goesOn && bool() ? .more : one(of: [.job, .flow])
        let child =
            context.allowsChildren && bool()
            ? ChildFields(
                policy: bool() ? one(of: FailurePolicy.allCases) : nil,
                condition: one(of: EdgeCondition.allCases)
            ) : nil
        var nodes = [node(queues: queues, hasKey: child != nil)]
        if kind != .job { nodes += list { $0.node(queues: queues, hasKey: child != nil) } }
        if context.allowsDeduplication { for index in nodes.indices { deduplicate(&nodes[index]) } }
        return AddItem(
            kind: kind,
            name: kind == .more ? "" : text(),
            child: child,
            metadata: kind == .flow && bool()
                ? Payload(contentType(), Array(bytes().prefix(Limits.metadataBytesMax))) : nil,
            nodes: nodes
        )
    }

    /// The end of an add, as the context allows it.
    mutating func tail(_ context: AddContext = .add) -> AddTail {
        let queues = ["q"] + list { $0.text(120, least: 1) }
        var items = [item(queues: queues.count, context, isFirst: true)]
        for _ in 0..<min(below(4), context.itemsMax - 1) { items.append(item(queues: queues.count, context)) }
        if context.isTemplate { items = items.map(SeededRandom.template) }
        return AddTail(queues: queues, items: items)
    }

    /// The item without what a template must not have.
    private static func template(_ item: AddItem) -> AddItem {
        var item = item
        for index in item.nodes.indices {
            item.nodes[index].customID = nil
            item.nodes[index].options.repeatEvery = 0
            item.nodes[index].options.at = 0
            item.nodes[index].dependencies.removeAll { if case .job = $0.target { true } else { false } }
        }
        return item
    }

    mutating func add() -> Add {
        let tail = tail()
        return Add(sequence: number(), queues: tail.queues, items: tail.items)
    }

    mutating func completion() -> Completion {
        Completion(slot: number(), token: token(), contentType: contentType(), result: bytes())
    }

    mutating func failure() -> Failure {
        Failure(
            slot: number(),
            token: token(),
            unrecoverable: bool(),
            delay: bool() ? number() : nil,
            message: text(4096),
            details: bytes()
        )
    }

    mutating func outcome() -> Outcome {
        let isRun = bool()
        return Outcome(
            sequence: number() >> 1,
            count: isRun ? max(1, number() >> 1) : 1,
            index: number() >> 1,
            status: number(),
            body: isRun ? [] : bytes()
        )
    }

    mutating func delivery() -> Delivery {
        Delivery(
            slot: number(),
            token: token(),
            job: job(),
            flow: flow(),
            queue: number(),
            attempts: number(),
            attemptsMade: number(),
            hasDependencies: bool(),
            contentType: contentType(),
            attemptsStarted: number(),
            stalledCount: number(),
            priority: number(),
            createdAt: number(),
            name: text(),
            data: bytes(),
            headers: headers(),
            group: bool() ? text(least: 1) : ""
        )
    }

    mutating func jobOutcome() -> JobOutcome {
        switch below(3) {
        case 0: .none
        case 1: .result(contentType(), bytes())
        default: .failure(message: text(4096), details: bytes())
        }
    }

    mutating func dependencyCounts() -> DependencyCounts {
        DependencyCounts(unprocessed: number(), processed: number(), ignored: number(), failed: number())
    }

    mutating func stateCounts() -> StateCounts {
        var counts = StateCounts()
        for state in JobState.allCases { counts[state] = number() }
        return counts
    }

    mutating func jobView() -> JobView {
        var view = JobView()
        view.commit = number()
        view.id = job()
        view.queue = text()
        view.name = text()
        view.customID = text()
        view.flow = flow()
        view.state = one(of: JobState.allCases)
        view.cause = one(of: FailureCause.allCases)
        view.contentType = contentType()
        view.options = options()
        view.options.rejectExisting = false
        view.isSkipped = bool()
        view.attemptsMade = number()
        view.attemptsStarted = number()
        view.stalledCount = number()
        view.createdAt = number()
        view.startedAt = number()
        view.finishedAt = number()
        view.dueIn = number()
        view.dependencies = dependencyCounts()
        view.dependents = number()
        view.failedDependency = job()
        view.data = bytes()
        view.outcome = jobOutcome()
        view.headers = headers()
        view.deduplication = bool() ? deduplication() : nil
        if bool() { view.group = text(least: 1) }
        view.progress = payload()
        return view
    }

    mutating func flowView() -> FlowView {
        var view = FlowView()
        view.commit = number()
        view.id = flow()
        view.name = text()
        view.status = one(of: FlowStatus.allCases)
        view.createdAt = number()
        view.finishedAt = number()
        view.counts = stateCounts()
        view.metadata = payload()
        return view
    }

    mutating func serverView() -> ServerView {
        var view = ServerView()
        view.version = text()
        view.durability = text()
        view.database = session()
        view.epoch = number()
        view.commit = number()
        view.commits = number()
        view.commands = number()
        view.uptime = number()
        view.connections = number()
        view.leases = number()
        view.usedBytes = number()
        view.processID = number()
        return view
    }

    mutating func hello() -> Hello {
        Hello(
            session: session(),
            mode: one(of: Hello.Mode.allCases),
            lockDuration: number(),
            confirmed: number(),
            client: text(),
            versionMin: number(),
            versionMax: number(),
            features: number()
        )
    }

    mutating func welcome() -> Welcome {
        var welcome = Welcome(
            resumed: bool(),
            database: session(),
            epoch: number(),
            lastApplied: number(),
            heartbeat: number(),
            server: text()
        )
        welcome.frameBytesMax = number()
        welcome.addWindowBytes = number()
        return welcome
    }

    mutating func flowNodeRow() -> FlowNodePage.Row {
        FlowNodePage.Row(
            job: job(),
            queue: text(),
            name: text(),
            state: one(of: JobState.allCases),
            cause: one(of: FailureCause.allCases),
            attemptsMade: number(),
            startedAt: number(),
            finishedAt: number(),
            dependencies: dependencyCounts()
        )
    }

    mutating func flowEdgeRow() -> FlowEdgePage.Row {
        FlowEdgePage.Row(
            dependent: job(),
            position: number(),
            dependency: job(),
            kind: one(of: DependencyKind.allCases),
            policy: one(of: FailurePolicy.allCases),
            condition: one(of: EdgeCondition.allCases)
        )
    }

    mutating func dependencyPage() -> DependencyPages.Page {
        DependencyPages.Page(
            kind: one(of: DependencyKind.allCases),
            next: number(),
            rows: list {
                DependencyPages.Row(
                    position: $0.number(),
                    job: $0.job(),
                    policy: $0.one(of: FailurePolicy.allCases),
                    condition: $0.one(of: EdgeCondition.allCases),
                    queue: $0.text(),
                    name: $0.text(),
                    outcome: $0.jobOutcome()
                )
            }
        )
    }

    mutating func subscribe() -> Subscribe {
        let queues = list { $0.text() }
        return Subscribe(
            queues: queues,
            creditJobs: number(),
            creditBytes: number(),
            lockDuration: number(),
            worker: text(),
            weights: bool() ? queues.map { _ in max(1, number()) } : [],
            prefetches: bool()
        )
    }

    mutating func revokedLease() -> Revoked.Lease {
        Revoked.Lease(slot: number(), token: token(), reason: one(of: Revoked.Reason.allCases), message: text())
    }
}
