import PenstockWire

@testable import PenstockEngine

/// Draws what bounds jobs, what is told of them, and what is changed of them and their queues.
extension HistoryDraw {
    mutating func addLimits(to options: inout NodeOptions) {
        if chance(limits) { options.ttl = UInt64(1 + random.below(3_000)) }
        if chance(limits) { options.timeout = UInt64(1 + random.below(3_000)) }
        if chance(limits) { options.keepLogs = UInt32(random.below(4)) }
        if chance(limits) { options.maxStarted = UInt32(1 + random.below(3)) }
    }

    /// A time takes the place of a delay.
    mutating func addTime(to options: inout NodeOptions, _ scope: Scope) {
        guard scope.wall > 0, chance(times) else { return }
        options.delay = 0
        options.at = scope.wall - 500 + UInt64(random.below(4_000))
    }

    mutating func stepWall() -> Operation { .stepWall(Int64(random.below(10_000)) - 5_000) }

    mutating func report(_ lease: TestLease) -> Operation {
        let lines = random.below(4)
        return .report(lease.job, progress: lines == 0 || chance(40), data: chance(30), lines: lines)
    }

    mutating func change(_ scope: Scope) -> Operation {
        let job = job(scope)
        switch random.below(8) {
        case 0: return .clearLogs(job, keep: UInt32(random.below(3)), session: session())
        case 1, 2: return .promoteNow(.job(job), session: session())
        case 3: return .promoteNow(.queue(queue()), session: session())
        default:
            let hasDelay = chance(30)
            let hasPriority = chance(60)
            return .update(
                job,
                data: !hasDelay && !hasPriority || chance(40),
                priority: hasPriority ? UInt32(random.below(3)) : nil,
                delay: hasDelay ? [0, 10, 1_000][random.below(3)] : nil,
                session: session()
            )
        }
    }

    mutating func queue() -> String { chance(5) ? "unknown" : ["q", "r", "s"][random.below(3)] }

    mutating func setQueue() -> Operation {
        let given = SetQueue.Given(rawValue: UInt8(1 + random.below(31)))
        var settings = QueueSettings()
        if given.contains(.paused) { settings.isPaused = chance(50) }
        if given.contains(.concurrency) { settings.concurrency = UInt32(random.below(3)) }
        if given.contains(.rate), chance(50) { settings.rate = RateLimit(max: 2, window: 100) }
        if given.contains(.maxLength), chance(70) { settings.maxLength = UInt32(1 + random.below(20)) }
        if given.contains(.defaults), chance(80) { settings.defaults = defaults() }
        return .setQueue(["q", "r", "s"][random.below(3)], given, settings, session: session())
    }

    private mutating func defaults() -> NodeOptions {
        var options = options()
        addLimits(to: &options)
        (options.lifo, options.rejectExisting, options.cancelSiblings) = (false, false, false)
        options.repeatEvery = 0
        return options
    }
}
