import PenstockWire

@testable import PenstockEngine

/// Counters, and the tables beside the jobs.
extension InvariantChecker {
    mutating func checkCounts() {
        let dump = dump
        var queues = SortedRows<QueueID, StateCounts>()
        var flows = SortedRows<FlowID, Members>()
        for (key, edge) in dump.edges {
            guard let dependent = dump.jobs[key.dependent], let dependency = dump.jobs[edge.dependency] else {
                continue
            }
            // An edge that `remove` took away does not make a sink.
            let isInside = dependent.flow == dependency.flow && dependent.flow != .none
            expect(
                isInside <= !dependency.flags.contains(.isSink),
                "job \(edge.dependency) is a sink with a dependent in its flow"
            )
        }
        for (id, job) in dump.jobs where !job.marks.contains(.isRemoved) {
            queues[job.queue, default: StateCounts()][job.state] += 1
            if job.flow != .none { flows[job.flow, default: Members()].count(id, job) }
        }
        for (id, queue) in dump.queues {
            expect(queue.counts == queues[id] ?? StateCounts(), "queue \(queue.name): its counts are wrong")
        }
        for (id, flow) in dump.flows {
            guard let members = flows[id] else {
                expect(left.contains(id), "flow \(id) has no job")
                continue
            }
            expect(flow.counts == members.counts, "flow \(id): its counts are wrong")
            expect(flow.jobs >= members.first, "flow \(id): \(flow.jobs) jobs, against \(members.first)")
            let end = JobID(flow.firstJob.rawValue + UInt64(flow.jobs))
            expect(
                members.first == 0 || members.lowest >= flow.firstJob && members.highest < end,
                "flow \(id): its jobs are not among its first ones"
            )
            expect(flow.failedSinks == members.failedSinks, "flow \(id): \(flow.failedSinks) failed sinks")
            expect(
                (flow.finishedAt != 0) == (flow.unfinished == 0) || left.contains(id),
                "flow \(id): finished or not"
            )
        }
        checkLaterJobs()
        for id in dump.flowNames { expect(dump.flows[id] != nil, "a name of flow \(id), which is not there") }
    }

    mutating func checkPriorities() {
        let dump = dump
        var counts = dump.priorities
        for (id, queue) in dump.queues where queue.mostUrgent > 0 { counts[PriorityKey(id, 0)] = queue.mostUrgent }
        expect(counts == dump.readyRows, "ready jobs are counted as \(counts), and are \(dump.readyRows)")
    }

    mutating func checkGroups() {
        let dump = dump
        var ready: [GroupKey: UInt32] = [:]
        for (key, _) in dump.ready where key.group != .none { ready[GroupKey(key.queue, key.group), default: 0] += 1 }
        for (key, group) in dump.groups {
            expect(key.group != .none, "a group without a number")
            expect(group.jobs == dump.groupJobs[key] ?? 0, "group \(key.group): \(group.jobs) jobs are wrong")
            let entries = ready[key] ?? 0
            // The jobs of a large add have their entries soon.
            let isPublishing = dump.pending.contains { $0.effect.kind == .publish }
            expect(
                group.ready == entries || isPublishing && group.ready < entries,
                "group \(key.group): \(group.ready) ready jobs, and \(entries) entries"
            )
            expect(dump.groupNames[key] == group.name, "group \(key.group) has another name")
            expect(group.jobs > 0 || dump.groupLimits[key] != nil, "group \(key.group): nobody uses it")
        }
        expect(dump.groups.count == dump.groupNames.count, "groups and their names are not the same in number")
        for key in Set(dump.groupJobs.keys).union(dump.groupLimits.keys) where key.group != .none {
            expect(dump.groups[key] != nil, "group \(key.group) is not there")
        }
        for (id, job) in dump.jobs {
            expect(job.marks.contains(.hasGroup) == (job.group != .none), "job \(id) has a group, or not")
        }
    }

    private mutating func checkLaterJobs() {
        let dump = dump
        let later = dump.jobs.filter { $0.value.marks.contains(.isAddedLater) }.map(\.key)
        expect(dump.laterJobs.map(\.job).sorted() == later, "jobs added later stand not all in their table")
        for key in dump.laterJobs {
            expect(dump.jobs[key.job]?.flow == key.flow, "job \(key.job) was added to another flow")
        }
        for (id, flow) in dump.flows {
            let count = dump.laterJobs.count { $0.flow == id }
            expect(Int(flow.later) == count, "flow \(id): \(flow.later) jobs added later, against \(count)")
        }
    }

    mutating func checkCustomIDs() {
        let dump = dump
        for (key, id) in dump.customIDs {
            expect(
                dump.jobs[id]?.queue == key.queue && dump.payloads[id]?.customID == key.id,
                "a custom id of job \(id) that it does not have"
            )
        }
        let named = dump.jobs.values.count { $0.flags.contains(.hasCustomID) }
        expect(named == dump.customIDs.count, "\(named) jobs have a custom id, and there are \(dump.customIDs.count)")
    }

    mutating func checkChildKeys() {
        for key in dump.childKeys {
            let marks = dump.jobs[key.parent]?.marks
            expect(marks?.contains(.hasChildKeys) == true, "a child's key of job \(key.parent), which has none")
        }
        for (child, holder) in dump.keyHolders {
            expect(dump.jobs[child]?.marks.contains(.hasChildKeys) == true, "job \(child) has no key under a job")
            let isKnown = dump.jobs[holder]?.marks.contains(.isRemoved) == false
            expect(
                !isKnown || dump.childKeys.contains { $0.parent == holder && $0.job == child },
                "job \(child) has no key under job \(holder)"
            )
        }
    }

    mutating func checkSessions() {
        let dump = dump
        var previous: (id: SessionID, record: SessionRecord?)?
        for key in dump.outcomes {
            let session = previous?.id == key.session ? previous!.record : dump.sessions[key.session]
            expect(session != nil, "outcomes of a session that is not there")
            expect(key.sequence > session?.confirmed ?? 0, "outcomes that were confirmed")
            previous = (key.session, session)
        }
        for (id, session) in dump.sessions {
            expect(session.confirmed <= session.applied, "session \(id) confirmed more than was applied")
        }
    }

    mutating func checkSchedulers() {
        let dump = dump
        expect(Set(dump.schedulers.keys) == dump.schedulerTemplates, "schedulers and templates are not the same")
        expect(
            dump.schedulersDue.count { $0.clock != nil } == dump.schedulers.values.count { $0.times.due != 0 },
            "a scheduler stands twice among those that become due, or not at all"
        )
        for key in dump.schedulersDue {
            let record = dump.schedulers[key.id]
            if key.clock == nil {
                expect((record?.owed ?? 0) > 0, "a scheduler is due for a run that it does not owe")
            } else {
                expect(record?.times.due == key.due && record?.clock == key.clock, "a due entry is not its scheduler's")
            }
        }
        for entry in dump.schedulerRuns {
            expect((dump.schedulers[entry.id]?.owed ?? 0) > 0, "a scheduler waits for a run and owes none")
        }
        let waiting = Set(dump.schedulerRuns.map(\.id) + dump.schedulersDue.filter { $0.clock == nil }.map(\.id))
        for (id, record) in dump.schedulers where record.owed > 0 {
            expect(waiting.contains(id), "a scheduler owes a run, and nothing will remind it")
        }
    }
}

/// What the jobs of a flow come to.
private struct Members {
    var counts = StateCounts()
    /// Those that it was added with.
    var first: UInt32 = 0
    var lowest = JobID.none
    var highest = JobID.none
    var failedSinks: UInt32 = 0

    /// - Precondition: jobs come in the order of their ids.
    mutating func count(_ id: JobID, _ job: JobRecord) {
        counts[job.state] += 1
        let hasFailed = job.state == .failed || job.state == .cancelled
        if job.flags.contains(.isSink) && hasFailed && !job.marks.contains(.isSkipped) { failedSinks += 1 }
        if job.marks.contains(.isAddedLater) { return }
        if first == 0 { lowest = id }
        first += 1
        highest = id
    }
}
