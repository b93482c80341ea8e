import PenstockWire

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension JobOptions {
    /// The options as the wire has them, each checked.
    func wire() throws(PenstockError) -> NodeOptions {
        var options = NodeOptions.default
        guard let priority = UInt32(exactly: priority), priority <= Limits.priorityMax else {
            throw PenstockError(
                .invalidOption,
                "A priority of \(priority); 0 to \(Limits.priorityMax) are allowed."
            )
        }
        guard let attempts = UInt16(exactly: attempts), attempts > 0 else {
            throw PenstockError(.invalidOption, "\(attempts) attempts; 1 to \(Limits.attemptsMax) are allowed.")
        }
        guard let maxStalledCount = UInt16(exactly: maxStalledCount) else {
            throw PenstockError(.invalidOption, "A maxStalledCount of \(maxStalledCount); 0 to 65535 are allowed.")
        }
        options.priority = priority
        options.attempts = attempts
        options.maxStalledCount = maxStalledCount
        options.delay = try delay.wireMilliseconds("delay")
        if let backoff { options.backoff = try backoff.wire() }
        options.lifo = lifo
        options.rejectExisting = rejectExisting
        options.onFailure = onFailure.wire
        options.cancelSiblings = cancelSiblings
        if let repeatEvery {
            options.repeatEvery = try repeatEvery.wireTime("time between two runs")
        }
        options.keepCompleted = try keepCompleted?.wire()
        options.keepFailed = try keepFailed?.wire()
        if let timeout { options.timeout = try timeout.wireTime("timeout") }
        if let ttl { options.ttl = try ttl.wireTime("ttl") }
        if let at {
            guard options.delay == 0 else {
                throw PenstockError(.invalidOption, "A job has a delay or a time at which it is ready, not both.")
            }
            options.at = try at.wireMilliseconds("time at which a job is ready", orElse: .invalidOption)
        }
        guard let keepLogs = UInt32(exactly: keepLogs), keepLogs <= Limits.keepLogsMax else {
            throw PenstockError(.invalidOption, "A keepLogs of \(keepLogs); 0 to \(Limits.keepLogsMax) are allowed.")
        }
        options.keepLogs = keepLogs
        if let maxStarted {
            guard let starts = UInt32(exactly: maxStarted), starts > 0 else {
                throw PenstockError(.invalidOption, "A maxStarted of \(maxStarted); 1 to \(UInt32.max) are allowed.")
            }
            options.maxStarted = starts
        }
        return options
    }

    /// What was given: it is sent even where it is at its default, so that it wins over the defaults of the queue.
    var explicit: ExplicitOptions {
        var explicit: ExplicitOptions = []
        if given.priority != nil { explicit.insert(ExplicitOptions(OptionTag.priority)) }
        if given.delay != nil { explicit.insert(ExplicitOptions(OptionTag.delay)) }
        if given.attempts != nil { explicit.insert(ExplicitOptions(OptionTag.attempts)) }
        if given.backoff != nil { explicit.insert(ExplicitOptions(OptionTag.backoff)) }
        if given.onFailure != nil { explicit.insert(ExplicitOptions(OptionTag.onFailure)) }
        if given.maxStalledCount != nil { explicit.insert(ExplicitOptions(OptionTag.maxStalledCount)) }
        if given.keepLogs != nil { explicit.insert(ExplicitOptions(OptionTag.keepLogs)) }
        return explicit
    }

    /// An option that says something of one job can't be the default of a queue.
    func checkQueueDefaults() throws(PenstockError) {
        let ofOneJob: [(String, Bool)] = [
            ("lifo", given.lifo != nil), ("id", given.id != nil), ("rejectExisting", given.rejectExisting != nil),
            ("cancelSiblings", given.cancelSiblings != nil), ("repeatEvery", given.repeatEvery != nil),
            ("headers", given.headers != nil), ("at", given.at != nil), ("deduplication", given.deduplication != nil),
            ("group", given.group != nil),
        ]
        if let (name, _) = ofOneJob.first(where: \.1) {
            throw PenstockError(.invalidOption, "The option \(name) of a job can't be a default of its queue.")
        }
    }

    /// The defaults of a queue: those that it does not have are not given.
    init(queueDefaults options: NodeOptions) {
        let standard = NodeOptions.default
        self.init(
            priority: options.priority == standard.priority ? nil : Int(options.priority),
            delay: options.delay == standard.delay ? nil : .milliseconds(options.delay),
            attempts: options.attempts == standard.attempts ? nil : Int(options.attempts),
            backoff: Backoff(options.backoff),
            onFailure: options.onFailure == standard.onFailure ? nil : FailurePolicy(options.onFailure),
            maxStalledCount: options.maxStalledCount == standard.maxStalledCount ? nil : Int(options.maxStalledCount),
            keepCompleted: options.keepCompleted.map { Retention($0) },
            keepFailed: options.keepFailed.map { Retention($0) },
            timeout: options.timeout == 0 ? nil : .milliseconds(options.timeout),
            ttl: options.ttl == 0 ? nil : .milliseconds(options.ttl),
            keepLogs: options.keepLogs == standard.keepLogs ? nil : Int(options.keepLogs),
            maxStarted: options.maxStarted == 0 ? nil : Int(options.maxStarted)
        )
    }

    /// The headers as the wire has them: in the order of their keys, and checked.
    func wireHeaders() throws(PenstockError) -> Headers {
        let result = Headers(headers.sorted { $0.key < $1.key }.map { Headers.Entry($0.key, $0.value) })
        guard result.entries.count <= 255, result.byteCount <= Limits.headersBytesMax,
            result.entries.allSatisfy({ (1...255).contains($0.key.utf8.count) })
        else {
            throw PenstockError(
                .invalidOption,
                "\(result.entries.count) headers of \(result.byteCount) bytes; 255 of \(Limits.headersBytesMax) bytes in all are allowed, with keys of 1 to 255 bytes."
            )
        }
        return result
    }

    init(
        _ options: NodeOptions,
        id: String?,
        headers: Headers = Headers(),
        deduplication: PenstockWire.Deduplication? = nil,
        group: String? = nil
    ) {
        self.init(
            priority: Int(options.priority),
            delay: .milliseconds(options.delay),
            attempts: Int(options.attempts),
            backoff: Backoff(options.backoff),
            lifo: options.lifo,
            id: id,
            rejectExisting: options.rejectExisting,
            onFailure: FailurePolicy(options.onFailure),
            maxStalledCount: Int(options.maxStalledCount),
            cancelSiblings: options.cancelSiblings,
            repeatEvery: options.repeatEvery == 0 ? nil : .milliseconds(options.repeatEvery),
            keepCompleted: options.keepCompleted.map { Retention($0) },
            keepFailed: options.keepFailed.map { Retention($0) },
            timeout: options.timeout == 0 ? nil : .milliseconds(options.timeout),
            ttl: options.ttl == 0 ? nil : .milliseconds(options.ttl),
            keepLogs: Int(options.keepLogs),
            maxStarted: options.maxStarted == 0 ? nil : Int(options.maxStarted),
            headers: headers.dictionary,
            at: Date(optionalMilliseconds: options.at),
            deduplication: Deduplication(deduplication),
            group: group
        )
    }
}

extension Headers {
    var dictionary: [String: String] {
        Dictionary(entries.map { ($0.key, $0.value) }) { first, _ in first }
    }
}

extension Duration {
    /// A time that is not zero, as that is none at all on the wire.
    func wireTime(_ what: String) throws(PenstockError) -> UInt64 {
        let milliseconds = try wireMilliseconds(what)
        guard milliseconds > 0 else {
            throw PenstockError(.invalidOption, "A \(what) of 0 ms; 1 ms to ten years are allowed.")
        }
        return milliseconds
    }
}
