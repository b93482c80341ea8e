import PenstockWire
import Testing

@testable import PenstockEngine

/// The end of a history: whatever can run runs, and nobody may be left behind.
extension HistoryRun {
    func finish() throws {
        end = .commit
        try perform(.commit)
        try runAll()
        try checkWaiting()
        try compare(readsAll: true)
        for queue in ["q", "r", "s"] {
            try settleAll()
            try perform(
                .retry(.queue(queue), keepsCounters: false, reruns: false, data: false, session: 0)
            )
            try perform(.commit)
        }
        try runAll()
        try checkRetried()
        try compare(readsAll: true)
        try perform(.retain)
        try compare(readsAll: true)
        try checkEmptied()
    }

    private func settleAll() throws {
        while engine.isSettling {
            try perform(.carryOn)
            try perform(.commit)
        }
    }

    /// Completes everything, until nothing is ready, and nothing will be.
    private func runAll() throws {
        var waits = 0
        for _ in 0..<1_000 {
            try settleAll()
            for queue in ["q", "r", "s"] { try perform(.lease(queue: queue, count: 1_000, session: 0)) }
            let leases = engine.leases.values.sorted { $0.job < $1.job }
            if leases.isEmpty {
                // Time passes when nothing is ready, so that little expires; what that releases may be delayed.
                if waits == 2 { return }
                try passTime()
                waits += 1
                continue
            }
            waits = 0
            for lease in leases {
                // Who has added to its job waits for that.
                let isPending = try engine.record(lease.job)?.dependencies.counting ?? 0 > 0
                try perform(
                    isPending
                        ? .move(lease.job, .waitingChildren, delay: 0, data: false)
                        : .complete(lease.job, .none, bytes: 0)
                )
            }
            try perform(.commit)
        }
        throw BrokenInvariants(problems: ["the history comes to no end"])
    }

    private func passTime() throws {
        try perform(.advance(3_600_000))
        try perform(.expire)
        try settleAll()
        try perform(.promote)
        try perform(.commit)
    }

    /// Who still waits waits for a dependency that `wait` holds, or for somebody who does.
    private func checkWaiting() throws {
        let dump = try engine.dump()
        var problems = Problems()
        problems.expect(dump.pending.isEmpty && dump.settling.isEmpty, "something has not settled")
        for (id, job) in dump.jobs where !job.state.isFinished {
            problems.expect(job.state == .waitingChildren, "job \(id) is \(job.state) at the end")
            let waitsFor = dump.edges(of: id).filter { $0.record.kind == .unprocessed }
            problems.expect(
                waitsFor.contains { $0.record.isHeld || !(dump.jobs[$0.record.dependency]!.state.isFinished) },
                "job \(id) waits for nobody"
            )
        }
        for (id, flow) in dump.flows where flow.unfinished > 0 {
            problems.expect(flow.heldEdges > 0 || waitsOutside(id, dump), "flow \(id) goes on for ever")
        }
        try problems.check()
    }

    /// True where a job of the flow waits for one that is not of the flow.
    private func waitsOutside(_ flow: FlowID, _ dump: Dump) -> Bool {
        dump.edges.contains { edge in
            let (dependent, dependency) = (dump.jobs[edge.key.dependent]!, dump.jobs[edge.record.dependency]!)
            return dependent.flow == flow && !dependent.state.isFinished && edge.record.kind == .unprocessed
                && dependency.flow != flow && !dependency.state.isFinished
        }
    }

    /// Everything that had failed was retried, and nothing has failed since.
    private func checkRetried() throws {
        let dump = try engine.dump()
        var problems = Problems()
        let isStuck = stuckJobs(dump)
        for (id, job) in dump.jobs where !isStuck.contains(id) {
            let isRight = job.state == .completed || job.state == .cancelled && job.marks.contains(.isSkipped)
            problems.expect(isRight, "job \(id) is \(job.state) (\(job.cause)), though everything was retried")
        }
        try problems.check()
    }

    /// What was removed or has expired meanwhile, what waits for that or failed with it, and what was cancelled for that.
    private func stuckJobs(_ dump: Dump) -> Set<JobID> {
        var found = Set(
            dump.jobs.filter { $0.value.marks.contains(.isRemoved) || $0.value.cause == .expired }.map(\.key)
        )
        var count = 0
        while found.count > count {
            count = found.count
            for edge in dump.edges where found.contains(edge.record.dependency) {
                if edge.record.kind == .failed || edge.record.kind == .unprocessed { found.insert(edge.key.dependent) }
            }
            for edge in dump.edges where found.contains(edge.key.dependent) {
                if dump.jobs[edge.record.dependency]?.marks.contains(.isPruned) == true {
                    found.insert(edge.record.dependency)
                }
            }
        }
        return found
    }

    /// When all queues have been emptied, nothing of any job is left.
    private func checkEmptied() throws {
        for row in try engine.schedulers().rows { try perform(.removeScheduler(row.id)) }
        try perform(.commit)
        // What is released in one queue while another one is emptied goes the second time.
        for queue in ["q", "r", "s", "q", "r", "s"] where engine.open.reads.queueIDs[queue] != nil {
            try perform(.clean(queue: queue, .obliterate(force: true), session: 0))
            try perform(.commit)
            try settleAll()
        }
        var problems = Problems()
        for (table, rows) in try engine.untouched() where !["queues", "sessions"].contains(table) {
            problems.expect(rows.isEmpty, "\(rows.count / 2) rows of \(table) are left")
        }
        try problems.check()
    }
}
