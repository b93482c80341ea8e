import PenstockWire

/// The requests that are answered when a job or a flow has finished.
struct Waits {
    struct Request {
        var connection: UInt32
        var header: FrameHeader
        /// Monotonic milliseconds.
        var deadline: UInt64
    }

    private var jobs: [JobID: [Request]] = [:]
    private var flows: [FlowID: [Request]] = [:]
    /// When to look for requests that have run out; they are found at most ``slackMilliseconds`` late.
    private(set) var nextDeadline = UInt64.max

    /// A look costs a walk over all requests, so that those which run out one shortly after the other share one.
    static let slackMilliseconds: UInt64 = 64

    var isEmpty: Bool { jobs.isEmpty && flows.isEmpty }

    mutating func add(_ request: Request, for target: Wait.Target) {
        switch target {
        case .job(let id): jobs[id, default: []].append(request)
        case .flow(let id): flows[id, default: []].append(request)
        }
        noteDeadline(of: request)
    }

    private mutating func noteDeadline(of request: Request) {
        nextDeadline = min(nextDeadline, (request.deadline / Waits.slackMilliseconds + 1) * Waits.slackMilliseconds)
    }

    mutating func take(_ job: JobID) -> [Request] { jobs.removeValue(forKey: job) ?? [] }

    mutating func take(_ flow: FlowID) -> [Request] { flows.removeValue(forKey: flow) ?? [] }

    /// Takes the requests that have run out, and finds out when the next one does.
    ///
    /// - Complexity: O(requests), only when one is due.
    mutating func takeExpired(now: UInt64) -> [Request] {
        var expired: [Request] = []
        nextDeadline = .max
        filter { request in
            if request.deadline <= now {
                expired.append(request)
                return false
            }
            return true
        }
        return expired
    }

    mutating func remove(connection: UInt32) {
        guard !isEmpty else { return }
        nextDeadline = .max
        filter { $0.connection != connection }
    }

    private mutating func filter(_ isKept: (Request) -> Bool) {
        jobs = jobs.mapValues { $0.filter(isKept) }.filter { !$0.value.isEmpty }
        flows = flows.mapValues { $0.filter(isKept) }.filter { !$0.value.isEmpty }
        for request in jobs.values.joined() { noteDeadline(of: request) }
        for request in flows.values.joined() { noteDeadline(of: request) }
    }
}
