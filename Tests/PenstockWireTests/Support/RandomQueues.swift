import PenstockWire

/// Random commands about queues, and what is read of them.
extension SeededRandom {
    mutating func queueDefaults() -> NodeOptions {
        var options = options()
        options.lifo = false
        options.rejectExisting = false
        options.cancelSiblings = false
        options.repeatEvery = 0
        options.at = 0
        return options
    }

    mutating func rateLimit() -> RateLimit {
        bool() ? .none : RateLimit(max: max(1, number()), window: max(1, delay()))
    }

    mutating func queueSettings() -> QueueSettings {
        var settings = QueueSettings()
        settings.isPaused = bool()
        settings.concurrency = number()
        settings.rate = rateLimit()
        settings.maxLength = number()
        settings.defaults = queueDefaults()
        return settings
    }

    mutating func setQueue() -> SetQueue {
        let given = SetQueue.Given(rawValue: UInt8(1 + below(31)))
        var settings = QueueSettings()
        settings.change(given, to: queueSettings())
        return SetQueue(sequence: number(), queue: text(120, least: 1), given: given, settings: settings)
    }

    mutating func promote() -> Promote {
        Promote(sequence: number(), target: bool() ? .job(job()) : .queue(text(120, least: 1)))
    }

    mutating func queueView() -> QueueView {
        QueueView(
            commit: number(),
            counts: stateCounts(),
            oldestReady: bool() ? number() >> 1 : nil,
            limitedFor: number(),
            settings: queueSettings()
        )
    }

    mutating func jobListCursor() -> JobListCursor { JobListCursor(order: number(), job: number()) }

    mutating func getJobs() -> GetJobs {
        GetJobs(
            queue: text(),
            state: one(of: JobState.allCases),
            isBackwards: bool(),
            cursor: jobListCursor(),
            rows: number()
        )
    }

    mutating func jobRow() -> JobPage.Row {
        var row = JobPage.Row()
        row.job = job()
        row.name = text()
        row.customID = text()
        row.flow = flow()
        row.cause = one(of: FailureCause.allCases)
        row.priority = number()
        row.attempts = number()
        row.attemptsMade = number()
        row.attemptsStarted = number()
        row.createdAt = number()
        row.startedAt = number()
        row.finishedAt = number()
        row.dueIn = number()
        return row
    }

    mutating func jobPage() -> JobPage {
        JobPage(commit: number(), next: jobListCursor(), rows: list { $0.jobRow() })
    }

    mutating func queuePage() -> QueuePage {
        let rows = list { QueuePage.Row(name: $0.text(), counts: $0.stateCounts(), isPaused: $0.bool()) }
        return QueuePage(commit: number(), next: number(), rows: rows)
    }

    mutating func priorityPage() -> PriorityPage {
        let rows = list { PriorityPage.Row(priority: $0.number(), waiting: $0.number()) }
        return PriorityPage(commit: number(), next: number(), rows: rows)
    }

    mutating func setGroup() -> SetGroup {
        SetGroup(sequence: number(), queue: text(120, least: 1), group: text(), concurrency: number())
    }

    mutating func getGroups() -> GetGroups {
        GetGroups(queue: text(), group: text(), cursor: number(), rows: number())
    }

    mutating func groupPage() -> GroupPage {
        let rows = list {
            GroupPage.Row(name: $0.text(), waiting: $0.number(), active: $0.number(), concurrency: $0.number())
        }
        return GroupPage(commit: number(), next: number(), concurrency: number(), rows: rows)
    }
}
