import PenstockWire

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
            options.repeatEvery = try repeatEvery.wireMilliseconds("time between two runs")
            guard options.repeatEvery > 0 else {
                throw PenstockError(.invalidOption, "A repetition every 0 ms; 1 ms to ten years are allowed.")
            }
        }
        options.keepCompleted = try keepCompleted?.wire()
        options.keepFailed = try keepFailed?.wire()
        return options
    }

    init(_ options: NodeOptions, id: String?) {
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
            keepFailed: options.keepFailed.map { Retention($0) }
        )
    }
}
