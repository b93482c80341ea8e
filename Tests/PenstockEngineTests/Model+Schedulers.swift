import PenstockWire

@testable import PenstockEngine

/// What is added again and again, every so many milliseconds.
extension Model {
    struct Scheduler {
        var interval: UInt64
        var limit: UInt64?
        var template: ItemSpec
        /// The next occurrence; 0: there is none left.
        var due: UInt64
        var runs: UInt64 = 0
        var lastFlow = FlowID.none
        var lastJob = JobID.none
    }

    func setScheduler(_ id: String, every interval: UInt64, limit: UInt64?, _ template: ItemSpec) -> Answer {
        begin()
        let old = schedulers[id]
        var scheduler = Scheduler(interval: interval, limit: limit, template: template, due: elapsed + interval)
        if let old {
            (scheduler.runs, scheduler.lastFlow, scheduler.lastJob) = (old.runs, old.lastFlow, old.lastJob)
            if old.interval == interval && old.due != 0 { scheduler.due = old.due }
        }
        if let limit, scheduler.runs >= limit { scheduler.due = 0 }
        schedulers[id] = scheduler
        return .scheduled(SchedulerOutcome(isNew: old == nil, next: next(of: scheduler)))
    }

    func removeScheduler(_ id: String) -> Answer {
        begin()
        return schedulers.removeValue(forKey: id) == nil ? .refused([.schedulerNotFound]) : .done
    }

    /// The next occurrence as wall time.
    func next(of scheduler: Scheduler) -> UInt64 {
        scheduler.due == 0 ? 0 : wall + (scheduler.due > elapsed ? scheduler.due - elapsed : 0)
    }

    /// Runs what is due, the longest due first. While the last run has not finished an occurrence is skipped.
    func runSchedulers() {
        let due = schedulers.filter { $1.due != 0 && $1.due <= elapsed }
        for (id, _) in due.sorted(by: { ($0.value.due, $0.key) < ($1.value.due, $1.key) }) {
            var scheduler = schedulers[id]!
            if !isPending(scheduler), case .added(let items) = addAgain(scheduler.template) {
                scheduler.runs += 1
                (scheduler.lastFlow, scheduler.lastJob) = (items[0].flow, items[0].first)
            }
            while scheduler.due <= elapsed { scheduler.due += scheduler.interval }
            if let limit = scheduler.limit, scheduler.runs >= limit { scheduler.due = 0 }
            schedulers[id] = scheduler
        }
    }

    /// No queue is too long for it.
    private func addAgain(_ template: ItemSpec) -> AddResult {
        begin()
        return add([template], heldBy: nil, completes: false)
    }

    private func isPending(_ scheduler: Scheduler) -> Bool {
        if scheduler.lastFlow != .none {
            return flows[scheduler.lastFlow] != nil && !status(of: scheduler.lastFlow).isFinished
        }
        return jobs[scheduler.lastJob].map { !$0.state.isFinished } ?? false
    }

    /// A job that ran and is repeated goes on alone.
    func repeatIfAsked(_ job: Job) {
        let hasRun = job.state == .completed || job.state == .failed && job.cause != .dependency
        let id = "repeat:\(job.id)"
        guard job.options.repeatEvery > 0, hasRun, schedulers[id] == nil else { return }
        var options = job.options
        (options.repeatEvery, options.delay, options.at) = (0, 0, 0)
        (options.cancelSiblings, options.rejectExisting) = (false, false)
        var node = NodeSpec(name: "again", queue: job.queue, after: [], customID: nil, data: job.data, options: options)
        (node.headers, node.group, node.isExplicit) = (job.headers, job.group, true)
        schedulers[id] = Scheduler(
            interval: job.options.repeatEvery,
            template: .single(node),
            due: elapsed + job.options.repeatEvery
        )
    }
}
