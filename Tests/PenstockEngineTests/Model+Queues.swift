import PenstockWire

@testable import PenstockEngine

/// What is set of queues, and what is changed of their jobs.
extension Model {
    func set(_ queue: String, _ given: SetQueue.Given, _ settings: QueueSettings) -> Answer {
        begin()
        queues.insert(queue)
        var changed = self.settings[queue] ?? .standard
        if given.contains(.paused) { changed.isPaused = settings.isPaused }
        if given.contains(.concurrency) { changed.concurrency = settings.concurrency }
        if given.contains(.rate) { changed.rate = settings.rate }
        if given.contains(.maxLength) { changed.maxLength = settings.maxLength }
        if given.contains(.defaults) { changed.defaults = settings.defaults }
        self.settings[queue] = changed
        return .done
    }

    /// The options of a new job: what it does not give is as its queue says.
    func options(of spec: NodeSpec) -> NodeOptions {
        guard let defaults = settings[spec.queue]?.defaults else { return spec.options }
        var options = spec.options
        func give<Value: Equatable>(_ option: WritableKeyPath<NodeOptions, Value>) {
            let isGiven = options[keyPath: option] != NodeOptions.default[keyPath: option]
            if !isGiven { options[keyPath: option] = defaults[keyPath: option] }
        }
        if !spec.isExplicit {
            give(\.priority)
            if options.at == 0 { give(\.delay) }
            give(\.attempts)
            give(\.backoff)
            give(\.onFailure)
            give(\.maxStalledCount)
            give(\.keepLogs)
        }
        // That there is none can't be said of these.
        give(\.keepCompleted)
        give(\.keepFailed)
        give(\.timeout)
        give(\.ttl)
        give(\.maxStarted)
        return options
    }

    func promote(_ target: Promote.Target) -> Answer {
        begin()
        let promoted: [Job]
        switch target {
        case .job(let id):
            guard let job = jobs[id] else { return .refused([.jobNotFound]) }
            guard job.state == .delayed else { return .refused([.wrongState]) }
            promoted = [job]
        case .queue(let name):
            guard queues.contains(name) else { return .refused([.queueNotFound]) }
            promoted = inOrder(jobs.values.filter { $0.queue == name }, [.delayed])
        }
        for job in promoted {
            makeReady(job)
            draws += 1
        }
        return .count(UInt32(promoted.count))
    }

    /// Changes a job that has not finished and that nobody holds: all of it, or nothing.
    func update(_ id: JobID, data: [UInt8]?, priority: UInt32?, delay wait: UInt64?) -> Answer {
        begin()
        guard let job = jobs[id] else { return .refused([.jobNotFound]) }
        guard !leased.contains(id) else { return .refused([.jobLeased]) }
        guard !job.state.isFinished, wait == nil || job.state == .delayed else { return .refused([.wrongState]) }
        if let data { job.data = data }
        if let priority { job.options.priority = priority }
        if let wait, wait > 0 { delay(job, by: wait) }
        if wait == 0 { makeReady(job) }
        return .done
    }

    /// How long the job is ready that is so for longest, of those that are first of their group and priority and of the lifo
    /// jobs that are last; nil where none is free.
    ///
    /// - Parameter ready: the jobs that wait, in their order.
    func oldestReady(_ ready: [Job]) -> UInt64? {
        let free = ready.filter { !leased.contains($0.id) }
        let runs = Dictionary(grouping: free) { [$0.group ?? "", "\($0.options.priority)"] }
        let looked = runs.values.flatMap { jobs in
            [jobs.first { $0.place!.isTail }, jobs.last { !$0.place!.isTail }].compactMap { $0 }
        }
        return looked.map { elapsed - $0.readySince }.max()
    }
}
