import PenstockWire

/// What is set of queues, and what is read of them.
extension WireClient {
    @discardableResult
    func set(
        _ queue: String,
        _ given: SetQueue.Given,
        _ change: (inout QueueSettings) -> Void = { _ in }
    ) throws -> ErrorCode? {
        var settings = QueueSettings()
        change(&settings)
        let number = newSequence()
        send(SetQueue(sequence: number, queue: queue, given: given, settings: settings))
        return ErrorCode(rawValue: try outcome(number).status)
    }

    func queue(_ name: String) throws -> QueueView { try request(GetQueue(queue: name), QueueView.self).get() }

    /// How many jobs were promoted.
    func promote(_ target: Promote.Target) throws -> UInt32 {
        let number = newSequence()
        send(Promote(sequence: number, target: target))
        let body = try succeeded(number).body
        var reader = WireReader(body.rawSpan)
        return try CountOutcome(from: &reader).jobs
    }

    /// The jobs of a list, asked for in pages of so many.
    func list(
        _ state: JobState,
        of queue: String,
        isBackwards: Bool = false,
        rows: UInt32 = 7
    ) throws -> [JobID] {
        var request = GetJobs(queue: queue, state: state, isBackwards: isBackwards, rows: rows)
        var jobs: [JobID] = []
        repeat {
            let page = try self.request(request, JobPage.self).get()
            jobs += page.rows.map(\.job)
            request.cursor = page.next
        } while request.cursor != .start
        return jobs
    }
}
