import PenstockWire
import Testing

@testable import PenstockEngine

/// What is told and changed of jobs, and what bounds them.
extension HistoryRun {
    func stageChange(_ operation: Operation) {
        let stamp = UInt8(truncatingIfNeeded: tally.batches)
        switch operation {
        case .report(let job, let progress, let data, let lines):
            guard let lease = freeLease(of: job) else { return }
            let progress = progress ? Payload(.json, [5, stamp]) : nil
            let data = data ? Payload(.binary, [6, stamp]) : nil
            let lines = (0..<lines).map { "\(stamp).\($0)" }
            let sequence = engine.stageReport(lease, progress: progress, data: data, lines: lines)
            let answer = model?.report(job, progress: progress, data: data?.bytes, lines: lines)
            expect(about: FlowID.none, answer, lease.session, sequence)
        case .update(let job, let data, let priority, let delay, let session):
            let session = sessions[session]
            let data = data ? Payload(.binary, [3, stamp]) : nil
            let sequence = engine.stageMessage(.update, session) {
                Update(sequence: $0, job: job, data: data, priority: priority, delay: delay)
            }
            let answer = model?.update(job, data: data?.bytes, priority: priority, delay: delay)
            expect(about: job, answer, session, sequence)
        case .promoteNow(let target, let session):
            let session = sessions[session]
            let sequence = engine.stageMessage(.promoteJobs, session) { Promote(sequence: $0, target: target) }
            let answer = model?.promote(target)
            switch target {
            case .job(let job): expect(about: job, answer, session, sequence)
            case .queue: expect(about: FlowID.none, answer, session, sequence)
            }
        case .clearLogs(let job, let keep, let session):
            let session = sessions[session]
            let sequence = engine.stageMessage(.clearLogs, session) { ClearLogs(sequence: $0, job: job, keep: keep) }
            expect(about: job, model?.clearLogs(job, keep: keep), session, sequence)
        case .setQueue(let queue, let given, let settings, let session):
            let session = sessions[session]
            let sequence = engine.stageMessage(.setQueue, session) {
                SetQueue(sequence: $0, queue: queue, given: given, settings: settings)
            }
            expect(about: FlowID.none, model?.set(queue, given, settings), session, sequence)
        default: preconditionFailure("\(operation) changes no job")
        }
    }

    /// Leases the first that are ready; not those that should have been started before.
    func lease(_ queue: String, _ count: Int, _ session: TestSession) throws {
        let leases = try engine.lease(queue, count, session)
        guard let model else { return }
        let now = engine.open.engine.elapsed
        for lease in leases {
            let isInTime = model.jobs[lease.job].map { $0.startBy ?? .max > now } ?? false
            try #require(isInTime, "job \(lease.job) is delivered too late")
        }
        model.leased = Set(engine.leases.keys)
        guard leases.count < count else { return }
        let left = model.jobs.values.filter {
            $0.queue == queue && $0.state == .waiting && !model.leased.contains($0.id) && $0.startBy ?? .max > now
        }
        try #require(left.isEmpty, "jobs \(left.map(\.id)) are ready, and not delivered")
    }

    func expire() throws {
        repeat {
            engine.stage(.expire, engine.session)
            try engine.commit()
            noteReported()
            while mode != .interleaved && engine.isSettling {
                try engine.carryOn()
                noteReported()
            }
        } while engine.result.nextStartLimit <= engine.elapsed
        model?.expire()
    }

    // MARK: Reads

    func compareFacts(of job: Model.Job, _ view: JobView, _ problems: inout Problems) throws {
        var options = job.options
        options.rejectExisting = false
        problems.expect(view.options == options, "job \(job.id) has \(view.options), not \(options)")
        problems.expect(view.headers == job.headers, "job \(job.id) has other headers")
        problems.expect(view.progress == job.progress, "job \(job.id): progress \(view.progress), not \(job.progress)")
        problems.expect(view.createdAt == job.createdAt, "job \(job.id) was added at another time")
        let finishedAt = job.state.isFinished ? job.finishedAt : 0
        problems.expect(
            view.finishedAt == finishedAt,
            "job \(job.id) finished at \(view.finishedAt), not \(finishedAt)"
        )
        let dueIn = job.state == .delayed && job.due > engine.elapsed ? job.due - engine.elapsed : 0
        problems.expect(view.dueIn == dueIn, "job \(job.id) is due in \(view.dueIn), not \(dueIn)")
        let attempts = try engine.attempts(job.id).map {
            Model.Attempt(number: Int($0.number), ending: $0.ending, finishedAt: $0.finishedAt)
        }
        let expected = model!.allAttempts(of: job)
        problems.expect(attempts == expected, "job \(job.id): its attempts are \(attempts), not \(expected)")
        try compareLog(of: job, &problems)
    }

    private func compareLog(of job: Model.Job, _ problems: inout Problems) throws {
        var rows: [LogPage.Row] = []
        var cursor: UInt64 = 0
        let size = UInt32(1 + checks.below(3))
        repeat {
            let page = try engine.logs(job.id, cursor: cursor, rows: size)
            try #require(page.rows.count <= size)
            problems.expect(Int(page.lines) == job.log.count, "job \(job.id): \(page.lines) lines were written")
            rows += page.rows
            cursor = page.next
        } while cursor != 0
        let isSame =
            rows.map { Int($0.number) } == job.log.lines.map(\.number) && rows.map(\.text) == job.log.lines.map(\.text)
            && rows.map(\.time) == job.log.lines.map(\.time)
        problems.expect(isSame, "job \(job.id): its log is \(rows), not \(job.log.lines)")
    }
}
