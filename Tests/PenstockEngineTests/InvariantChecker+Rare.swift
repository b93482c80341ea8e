import PenstockWire

@testable import PenstockEngine

/// The rows that few jobs have: each belongs to a job that knows of it.
extension InvariantChecker {
    mutating func checkRareRows() {
        checkStartLimits()
        checkAttempts()
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
