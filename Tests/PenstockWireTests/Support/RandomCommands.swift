import PenstockWire

/// Random commands and lists of flows in full, valid ones.
extension SeededRandom {
    mutating func payload() -> Payload { Payload(contentType(), bytes()) }
    mutating func delay() -> UInt64 { number() % (Limits.delayMillisecondsMax + 1) }

    mutating func retention() -> Retention {
        Retention(count: number(), age: bool() ? delay() : Retention.ageUnbounded)
    }

    mutating func heldAdd() -> HeldAdd {
        let action = one(of: HeldAdd.Action.allCases)
        return HeldAdd(
            sequence: number(),
            slot: number(),
            token: token(),
            action: action,
            result: action == .complete ? payload() : .none,
            add: tail(action.context)
        )
    }

    mutating func move() -> Move {
        let to = one(of: Move.Place.allCases)
        let least: UInt64 = to == .rateLimited ? 1 : 0
        return Move(
            sequence: number(),
            slot: number(),
            token: token(),
            to: to,
            delay: to == .waitingChildren ? 0 : max(least, delay()),
            data: bool() ? payload() : nil
        )
    }

    mutating func report() -> Report {
        Report(
            sequence: number(),
            slot: number(),
            token: token(),
            progress: bool() ? payload() : nil,
            data: bool() ? payload() : nil,
            lines: ["line"] + list { $0.text(1000) }
        )
    }

    mutating func update() -> Update {
        Update(
            sequence: number(),
            job: job(),
            data: bool() ? payload() : nil,
            priority: number() & Limits.priorityMax,
            delay: bool() ? delay() : nil
        )
    }

    mutating func attempt() -> AttemptList.Row {
        AttemptList.Row(
            number: number(),
            ending: one(of: AttemptEnding.allCases),
            startedAt: number(),
            finishedAt: number(),
            worker: text(),
            message: text(1024)
        )
    }

    mutating func stage() -> Stage {
        let part = one(of: Stage.Part.allCases)
        return Stage(
            sequence: number(),
            add: max(1, number()),
            part: part,
            totals: Stage.Totals(
                jobs: UInt32(1 + below(Limits.stagedJobsMax)),
                items: UInt32(1 + below(Limits.itemsPerAddMax)),
                bytes: number() % (Limits.stagedBytesMax + 1)
            ),
            tail: part == .abandon ? nil : tail(part.context)
        )
    }

    mutating func cancel() -> Cancel {
        let target: Cancel.Target = one(of: [.job(job()), .flow(flow()), .tree(job())])
        return Cancel(sequence: number(), target: target, reason: text(Limits.reasonBytesMax))
    }

    mutating func retry() -> Retry {
        let target: Retry.Target = one(of: [.job(job()), .flow(flow()), .queue(text(120, least: 1))])
        var isJob = false
        if case .job = target { isJob = true }
        return Retry(
            sequence: number(),
            target: target,
            keepsCounters: bool(),
            reruns: isJob && bool(),
            data: isJob && bool() ? payload() : nil
        )
    }

    mutating func finish() -> Finish {
        let ending: Finish.Ending = bool() ? .complete(payload()) : .fail(message: text(4096), details: bytes())
        return Finish(sequence: number(), job: job(), ending: ending)
    }

    mutating func resolve() -> Resolve {
        Resolve(
            sequence: number(),
            dependent: job(),
            dependency: job(),
            to: one(of: Resolve.Resolution.allCases)
        )
    }

    mutating func remove() -> Remove {
        let target: Remove.Target = one(of: [
            .job(job(), keepsDependencies: bool()), .flow(flow()), .unprocessedDependencies(of: job()),
        ])
        return Remove(sequence: number(), target: target)
    }

    mutating func clean() -> Clean {
        let states = JobState.allCases.filter { $0 != .active }
        let kind: Clean.Kind = one(of: [
            .drain(delayedToo: bool()), .clean(one(of: states), age: delay(), limit: number()),
            .obliterate(force: bool()),
        ])
        return Clean(sequence: number(), queue: text(120, least: 1), kind: kind)
    }

    mutating func schedule() -> ScheduleFields {
        bool()
            ? .every(1 + number() % Limits.delayMillisecondsMax)
            : .cron(text(least: 1), zone: text(Limits.zoneBytesMax))
    }

    mutating func schedulerRule() -> SchedulerRule {
        let start = number() % Limits.wallMillisecondsMax
        return SchedulerRule(
            schedule: schedule(),
            limit: bool() ? max(1, number()) : nil,
            start: bool() ? start : nil,
            end: bool() ? start + 1 + number() % (Limits.wallMillisecondsMax - start) : nil,
            immediately: bool(),
            missedRuns: one(of: MissedRuns.allCases)
        )
    }

    mutating func setScheduler() -> SetScheduler {
        SetScheduler(sequence: number(), id: text(least: 1), rule: schedulerRule(), template: tail(.template))
    }

    mutating func workerPage() -> WorkerPage {
        let rows = list { random in
            var row = WorkerPage.Row()
            row.session = random.session()
            row.client = random.text()
            row.peer = random.text()
            row.isConnected = random.bool()
            row.isSubscribed = random.bool()
            row.worker = random.text()
            row.queues = random.list { $0.text() }
            row.credits = random.number()
            row.held = random.number()
            row.reserved = random.number()
            row.jobs = random.list { .init(job: $0.job(), queue: $0.text(), startedAt: $0.number()) }
            return row
        }
        return WorkerPage(next: number(), rows: rows)
    }

    mutating func schedulerPage() -> SchedulerPage {
        let rows = list {
            SchedulerPage.Row(
                id: $0.text(),
                rule: $0.schedulerRule(),
                next: $0.number(),
                runs: $0.number(),
                lastFlow: $0.flow(),
                lastJob: $0.job()
            )
        }
        return SchedulerPage(commit: number(), hasMore: bool(), rows: rows)
    }

    mutating func treeRow(parent: UInt32?) -> FlowTree.Row {
        FlowTree.Row(
            job: job(),
            parent: parent,
            edge: FlowTree.Edge(
                position: number(),
                kind: one(of: DependencyKind.allCases),
                policy: one(of: FailurePolicy.allCases),
                condition: one(of: EdgeCondition.allCases)
            ),
            queue: text(),
            name: text(),
            state: one(of: JobState.allCases),
            cause: one(of: FailureCause.allCases),
            dependencies: number(),
            isListedAbove: bool(),
            isCut: bool()
        )
    }

    mutating func flowTree() -> FlowTree {
        var rows: [FlowTree.Row] = []
        for index in 0..<below(6) { rows.append(treeRow(parent: index == 0 ? nil : UInt32(below(index)))) }
        return FlowTree(commit: number(), isWhole: bool(), rows: rows)
    }

    mutating func listFlows() -> ListFlows {
        ListFlows(
            name: text(),
            status: bool() ? one(of: FlowStatus.allCases) : nil,
            createdFrom: number(),
            createdTo: number(),
            oldestFirst: bool(),
            cursor: number(),
            rows: number()
        )
    }

    mutating func flowPage() -> FlowPage {
        let rows = list {
            FlowPage.Row(
                id: $0.flow(),
                name: $0.text(),
                status: $0.one(of: FlowStatus.allCases),
                createdAt: $0.number(),
                finishedAt: $0.number(),
                counts: $0.stateCounts()
            )
        }
        return FlowPage(commit: number(), next: number(), rows: rows)
    }
}
