import PenstockWire

@testable import PenstockEngine

/// Draws what happens in a history.
struct HistoryDraw {
    /// What there is to draw from.
    struct Scope {
        var nextJob: UInt64
        var nextFlow: UInt64
        /// 0: there is no time that could be named.
        var wall: UInt64
        var leases: [TestLease]
        var settles: Bool
    }

    var random: SplitMix64
    /// How likely things are in this history, in per cent.
    private let customIDs: Int
    private let delays: Int
    private let failures: Int
    private let edges: Int
    private let policies: Int
    private let conditions: Int
    let mistakes: Int
    let stored: Int
    private let cancels: Int
    private let retries: Int
    private let byHand: Int
    private let siblings: Int
    let growth: Int
    let removals: Int
    let retentions: Int
    let schedulers: Int
    let cleans: Int
    private let groups: Int
    let limits: Int
    let times: Int
    let reports: Int
    let changes: Int
    let settings: Int
    let parts: Int

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        customIDs = random.below(60)
        delays = random.below(40)
        failures = random.below(70)
        edges = 10 + random.below(60)
        policies = random.below(100)
        mistakes = random.below(3) == 0 ? 4 : 0
        stored = random.below(40)
        conditions = random.below(2) == 0 ? 0 : random.below(50)
        cancels = random.below(3) == 0 ? 0 : random.below(12)
        retries = random.below(3) == 0 ? 0 : random.below(25)
        byHand = random.below(2) == 0 ? 0 : random.below(12)
        siblings = random.below(2) == 0 ? 0 : random.below(60)
        growth = random.below(3) == 0 ? 0 : random.below(60)
        removals = random.below(2) == 0 ? 0 : random.below(12)
        retentions = random.below(2) == 0 ? 0 : random.below(40)
        schedulers = random.below(2) == 0 ? 0 : random.below(10)
        let cleans = random.below(2) == 0 ? 0 : random.below(6)
        // The model does not know in which order the groups of a queue are cleaned.
        groups = seed % 3 == 0 ? 60 : 0
        self.cleans = groups > 0 ? 0 : cleans
        limits = random.below(2) == 0 ? 0 : random.below(50)
        times = random.below(3) == 0 ? random.below(30) : 0
        reports = random.below(2) == 0 ? 0 : random.below(30)
        changes = random.below(2) == 0 ? 0 : random.below(20)
        settings = random.below(3) == 0 ? random.below(10) : 0
        parts = random.below(4) == 0 ? random.below(30) : 0
        self.random = random
    }

    mutating func chance(_ perCent: Int) -> Bool { random.below(100) < perCent }

    mutating func session() -> Int { random.below(HistoryRun.sessionCount) }

    /// What happens before a batch.
    mutating func pause(_ scope: Scope) -> [Operation] {
        var drawn: [Operation] = [
            .advance(UInt64(random.below(4) == 0 ? random.below(3_000) : random.below(50)))
        ]
        drawn += ownTime()
        if chance(parts) {
            let items = items(scope)
            drawn.append(.stage(items, nodes: 1 + random.below(4), session: session(), restarts: chance(20)))
        }
        if chance(3) { drawn.append(.restart(after: UInt64(random.below(5_000)))) }
        for queue in ["q", "r", "s"] where chance(60) {
            drawn.append(.lease(queue: queue, count: random.below(4), session: session()))
        }
        return drawn
    }

    /// The commands of a batch.
    mutating func commands(_ scope: Scope) -> [Operation] {
        var drawn: [Operation] = []
        for _ in 0..<1 + random.below(6) {
            if chance(cancels) {
                drawn.append(cancel(scope))
            } else if chance(retries) {
                drawn.append(retry(scope))
            } else if chance(removals) {
                drawn.append(remove(scope))
            } else if chance(schedulers) {
                drawn.append(schedule())
            } else if chance(cleans) {
                drawn.append(clean(scope))
            } else if chance(byHand) {
                drawn.append(decide(scope))
            } else if chance(changes) {
                drawn.append(change(scope))
            } else if chance(settings) {
                drawn.append(setQueue())
            } else {
                command(scope, &drawn)
            }
        }
        if scope.settles && chance(70) { drawn.insert(.carryOn, at: random.below(drawn.count + 1)) }
        return drawn + [.commit]
    }

    private mutating func command(_ scope: Scope, _ drawn: inout [Operation]) {
        let lease = scope.leases.randomElement(using: &random)
        switch random.below(12) {
        case 0...3: drawn.append(.add(items(scope), session: session()))
        case 4...9:
            guard let lease else { return }
            if chance(reports) { drawn.append(report(lease)) }
            if chance(growth) { return grow(lease, scope, &drawn) }
            drawn.append(end(lease))
        case 10: drawn.append(.promote)
        default:
            if let lease, !lease.isWritten, chance(50) { return drawn.append(.writeLease(lease.job)) }
            drawn.append(.confirm(session: session(), row: random.below(1_000)))
        }
    }

    private mutating func end(_ lease: TestLease) -> Operation {
        if lease.isWritten && chance(15) { return .completeLate(lease.job) }
        if chance(15) { return chance(50) ? .stall(lease.job) : .giveBack(lease.job) }
        if chance(limits / 4) { return .timeOut(lease.job) }
        if chance(failures) {
            return .fail(
                lease.job,
                unrecoverable: chance(15),
                delay: chance(15) ? UInt64(random.below(500)) : nil,
                bytes: random.below(200)
            )
        }
        if chance(10) { return .completeTwice(lease.job) }
        let bytes = chance(10) ? 3_000 : random.below(130)
        return .complete(lease.job, chance(30) ? .none : .json, bytes: bytes)
    }

    // MARK: Commands about what exists

    /// Often one of the last, sometimes one that was never given.
    mutating func number(below next: UInt64) -> UInt64 {
        if chance(2) || next == 1 { return next + UInt64(random.below(100)) }
        return next - 1 - UInt64(random.below(Int(min(next - 1, chance(70) ? 12 : 60))))
    }

    mutating func job(_ scope: Scope) -> JobID { JobID(number(below: scope.nextJob)) }
    mutating func flow(_ scope: Scope) -> FlowID { FlowID(number(below: scope.nextFlow)) }

    private mutating func cancel(_ scope: Scope) -> Operation {
        switch random.below(5) {
        case 0, 1: .cancel(.job(job(scope)), session: session())
        case 2, 3: .cancel(.tree(job(scope)), session: session())
        default: .cancel(.flow(flow(scope)), session: session())
        }
    }

    private mutating func retry(_ scope: Scope) -> Operation {
        let keepsCounters = chance(20)
        switch random.below(8) {
        case 0...4:
            return .retry(
                .job(job(scope)),
                keepsCounters: keepsCounters,
                reruns: chance(40),
                data: chance(20),
                session: session()
            )
        case 5, 6:
            return .retry(
                .flow(flow(scope)),
                keepsCounters: keepsCounters,
                reruns: false,
                data: false,
                session: session()
            )
        default:
            let queue = chance(5) ? "unknown" : ["q", "r", "s"][random.below(3)]
            return .retry(
                .queue(queue),
                keepsCounters: keepsCounters,
                reruns: false,
                data: false,
                session: session()
            )
        }
    }

    private mutating func decide(_ scope: Scope) -> Operation {
        if chance(50) { return .finish(job(scope), fails: chance(50), session: session()) }
        let dependent = job(scope)
        let distance = UInt64(1 + random.below(5))
        let dependency = JobID(dependent.rawValue > distance ? dependent.rawValue - distance : 1)
        return .resolve(dependent, dependency, Resolve.Resolution.allCases[random.below(3)], session: session())
    }

    // MARK: Adds

    mutating func items(_ scope: Scope, mistakes: Int? = nil) -> [ItemSpec] {
        var items: [ItemSpec] = []
        var count = 0
        for _ in 0..<1 + random.below(3) {
            let isFlow = chance(75)
            var nodes: [NodeSpec] = []
            for _ in 0..<(isFlow ? 1 + random.below(7) : 1) {
                nodes.append(node(count, scope, mistakes ?? self.mistakes))
                count += 1
            }
            items.append(isFlow ? .flow("f", nodes) : .single(nodes[0]))
        }
        return items
    }

    mutating func policy() -> FailurePolicy? {
        chance(policies) ? FailurePolicy(rawValue: UInt8(random.below(5))) : nil
    }

    mutating func condition() -> EdgeCondition {
        chance(conditions) ? EdgeCondition.allCases[random.below(3)] : .success
    }

    private mutating func node(_ index: Int, _ scope: Scope, _ mistakes: Int) -> NodeSpec {
        var after: [NodeSpec.Dependency] = []
        for target in 0..<index where chance(edges) && after.count < 4 {
            after.append(.index(target, policy(), on: condition()))
        }
        while scope.nextJob > 1 && chance(stored) && after.count < 6 {
            let recent = min(scope.nextJob - 1, 30)
            let job = JobID(scope.nextJob - 1 - UInt64(random.below(Int(recent))))
            after.append(.job(job, policy(), on: condition()))
        }
        if chance(mistakes) {
            switch random.below(4) {
            case 0: after.append(.index(index))
            case 1: after.append(.index(index + 1))
            case 2: after.append(.job(JobID(scope.nextJob + 1_000)))
            default: if let first = after.first { after.append(first) }
            }
        }
        after.shuffle(using: &random)
        let id = chance(customIDs) ? "c\(random.below(14))" : nil
        let queue = ["q", "q", "r", "s"][random.below(4)]
        var node = NodeSpec(name: "n\(index)", queue: queue, after: after, customID: id, data: [1], options: options())
        addLimits(to: &node.options)
        addTime(to: &node.options, scope)
        if chance(limits / 3) { node.headers = Headers([Headers.Entry("trace", "\(index)")]) }
        node.isExplicit = chance(settings)
        if groups > 0 && chance(groups) { node.group = "g\(random.below(3))" }
        return node
    }

    mutating func options() -> NodeOptions {
        var options = NodeOptions()
        if chance(20) { options.priority = UInt32(random.below(3)) }
        if chance(delays) { options.delay = UInt64(1 + random.below(2_000)) }
        if chance(50) { options.attempts = UInt16(1 + random.below(3)) }
        if chance(delays) {
            options.backoff = Backoff(
                kind: chance(50) ? .fixed : .exponential,
                delay: UInt64(random.below(800)),
                maximum: chance(30) ? 600 : 0,
                jitter: chance(40) ? UInt16(random.below(1001)) : 0
            )
        }
        options.lifo = chance(15)
        options.rejectExisting = chance(mistakes)
        if let policy = policy() { options.onFailure = policy }
        options.maxStalledCount = UInt16(random.below(3))
        options.cancelSiblings = chance(siblings)
        options.keepCompleted = retention()
        options.keepFailed = retention()
        if chance(schedulers) { options.repeatEvery = UInt64(1 + random.below(2_000)) }
        return options
    }
}

extension SplitMix64 {
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
