import PenstockWire

@testable import PenstockEngine

/// The rows that few jobs have: each belongs to a job that knows of it.
extension InvariantChecker {
    mutating func checkRareRows() {
        checkStartLimits()
        checkAttempts()
        checkReports()
        checkTimed()
    }

    private mutating func checkReports() {
        let dump = dump
        for (id, report) in dump.reports {
            let marks = dump.jobs[id]?.marks
            expect(marks != nil, "a report of a job that is not there")
            expect(marks?.contains(.hasLogs) == (report.next > 1), "job \(id) has a log, or not")
            expect(marks?.contains(.hasProgress) == (report.progressType != .none), "job \(id) has progress, or not")
            let lines = dump.logs.filter { $0.key.dependent == id }
            expect(lines.map(\.key.position) == Array(report.first..<report.next), "job \(id): lines that are not its")
            expect(lines.reduce(0) { $0 + $1.bytes } == Int(report.bytes), "job \(id): its log is not as long")
        }
        for (id, job) in dump.jobs where !job.marks.isDisjoint(with: [.hasLogs, .hasProgress]) {
            expect(dump.reports[id] != nil, "job \(id) has no report")
        }
        expect(dump.logs.allSatisfy { dump.reports[$0.key.dependent] != nil }, "lines of a job that is not there")
    }

    private mutating func checkTimed() {
        let dump = dump
        for key in dump.timed {
            let job = dump.jobs[key.job]
            expect(
                job?.state == .delayed && job?.marks.contains(.isTimed) == true && job?.attemptsStarted == 0,
                "job \(key.job) does not wait for a time"
            )
        }
    }

    private mutating func checkStartLimits() {
        let dump = dump
        let due = Dictionary(dump.startLimitsDue.map { ($0.job, $0.due) }) { first, _ in first }
        expect(due == dump.startLimits && due.count == dump.startLimitsDue.count, "times to start stand twice, or once")
        for id in dump.startLimits.keys {
            expect(dump.jobs[id]?.marks.contains(.hasTTL) == true, "job \(id) has a time to start, and no ttl")
        }
        for (id, job) in dump.jobs where job.marks.contains(.hasTTL) {
            expect(!job.state.isFinished && job.attemptsStarted == 0, "job \(id) has started, and may expire")
            expect(job.state != .waiting || dump.startLimits[id] != nil, "job \(id) waits, and will never expire")
        }
    }

    private mutating func checkAttempts() {
        let dump = dump
        let owners = Set(dump.attempts.map(\.key.dependent))
        for (id, job) in dump.jobs {
            expect(job.marks.contains(.hasAttempts) == owners.contains(id), "job \(id) has attempts, or not")
        }
        expect(owners.allSatisfy { dump.jobs[$0] != nil }, "attempts of a job that is not there")
        for (key, row) in dump.attempts {
            let started = dump.jobs[key.dependent]?.attemptsStarted ?? 0
            expect(key.position > 0 && key.position <= started, "job \(key.dependent): an attempt that never was")
            expect(row.ending != .running && row.startedAt > 0 && row.finishedAt > 0, "an attempt without an end")
        }
    }
}
