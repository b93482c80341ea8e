import PenstockWire

@testable import PenstockEngine

/// What deduplication means, in the plainest words: jobs by their names, adds one after the other.
struct DeduplicationModel {
    struct Job: Equatable {
        var state: JobState
        var terms: Deduplication?
        /// Where it is delayed: until when.
        var due: UInt64 = 0
        /// Failures that do not end it yet.
        var retries: Int
    }

    struct Hold: Equatable {
        var job: String
        /// 0: until the job has finished.
        var due: UInt64
        var kept: Node?
    }

    struct Node: Equatable {
        var name: String
        var terms: Deduplication?
        var delay: UInt64
        var attempts: Int
    }

    var now: UInt64 = 0
    var jobs: [String: Job] = [:]
    private var holds: [String: Hold] = [:]

    func hold(_ id: String) -> Hold? { holds[id].flatMap { $0.due == 0 || $0.due > now ? $0 : nil } }

    // MARK: Adds

    /// Adds the nodes in their order; for each the job that it is or stands for, and why.
    mutating func add(_ nodes: [Node]) -> [(job: String, reason: AddOutcome.Reason?)] {
        var answers = nodes.map { addNext($0) }
        let own = Set(nodes.map(\.name))
        for (index, node) in nodes.enumerated() {
            guard let id = node.terms?.id else { continue }
            let isLater = nodes[(index + 1)...].contains { $0.terms?.id == id }
            if answers[index].reason == nil && jobs[node.name] == nil { answers[index].reason = .replaced }
            if own.contains(answers[index].job), let holder = hold(id) { answers[index].job = holder.job }
            // Stands for a stored job that a later node has replaced.
            if jobs[answers[index].job] == nil, let holder = hold(id) { answers[index].job = holder.job }
            if answers[index].reason == .kept && isLater && hold(id)?.kept?.name != node.name {
                answers[index].reason = .deduplicated
            }
        }
        return answers
    }

    private mutating func addNext(_ node: Node) -> (job: String, reason: AddOutcome.Reason?) {
        guard let terms = node.terms, var held = hold(terms.id) else {
            make(node)
            if let terms = node.terms {
                holds[terms.id] = Hold(job: node.name, due: terms.ttl > 0 ? now + terms.ttl : 0)
            }
            return (node.name, nil)
        }
        let holder = jobs[held.job]
        if terms.replaces && holder?.state == .delayed {
            jobs[held.job] = nil
            make(node)
            let fresh = terms.ttl > 0 ? max(held.due, now + terms.ttl) : 0
            let goesOn = terms.ttl > 0 && !terms.extends && held.due > 0
            holds[terms.id] = Hold(job: node.name, due: goesOn ? held.due : fresh)
            return (node.name, nil)
        }
        if terms.keepsLastIfActive && (holder?.state == .active || held.kept != nil) {
            held.kept = node
            held.due = 0
            holds[terms.id] = held
            return (held.job, .kept)
        }
        if terms.extends && held.due > 0 { held.due = max(held.due, now + terms.ttl) }
        holds[terms.id] = held
        return (held.job, .deduplicated)
    }

    private mutating func make(_ node: Node) {
        jobs[node.name] = Job(
            state: node.delay > 0 ? .delayed : .waiting,
            terms: node.terms,
            due: node.delay > 0 ? now + node.delay : 0,
            retries: node.attempts - 1
        )
    }

    // MARK: Ends

    mutating func finish(_ name: String, as state: JobState) {
        jobs[name]?.state = state
        guard let id = jobs[name]?.terms?.id, let held = holds[id], held.job == name else { return }
        if held.due == 0 || state == .cancelled { free(id) }
    }

    mutating func remove(_ name: String) {
        guard let job = jobs.removeValue(forKey: name) else { return }
        if let id = job.terms?.id, holds[id]?.job == name { free(id) }
    }

    private mutating func free(_ id: String) {
        guard let kept = holds.removeValue(forKey: id)?.kept else { return }
        _ = addNext(kept)
    }

    /// True where it was held.
    mutating func removeID(_ id: String) -> Bool {
        guard hold(id) != nil else { return false }
        free(id)
        holds[id] = nil
        return true
    }

    mutating func fail(_ name: String, backoff: UInt64) {
        guard jobs[name]!.retries > 0 else { return finish(name, as: .failed) }
        jobs[name]!.retries -= 1
        jobs[name]!.state = .delayed
        jobs[name]!.due = now + backoff
    }

    mutating func retry(_ name: String, attempts: Int) {
        jobs[name]!.state = .waiting
        jobs[name]!.retries = attempts - 1
        guard let terms = jobs[name]!.terms, terms.ttl == 0, hold(terms.id) == nil else { return }
        holds[terms.id] = Hold(job: name, due: 0)
    }

    mutating func advance(_ milliseconds: UInt64) {
        now += milliseconds
        for (name, job) in jobs where job.state == .delayed && job.due <= now { jobs[name]!.state = .waiting }
    }
}
