/// A job to be added to a queue beside others, in one transaction.
public struct NewJob: Sendable {
    /// 1...255 bytes of UTF-8: what kind of job this is.
    public let name: String
    /// How it is run.
    public var options: JobOptions
    let data: any Encodable & Sendable

    /// - Parameter data: any value that can be encoded; none if it is left out.
    public init<Data: Encodable & Sendable>(
        _ name: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions()
    ) {
        self.name = name
        self.data = data
        self.options = options
    }
}

extension Queue {
    /// Adds jobs in one transaction, all or none: at most 10,000. The handles come in the order of the jobs.
    ///
    /// No producer is part of this: its defaults, options and interceptors do not apply.
    ///
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` all of them may have been added, or none.
    @discardableResult
    public func addBulk(_ jobs: [NewJob]) async throws(PenstockError) -> [JobHandle] {
        try await FlowProducer(client).add(
            jobs.map { PlannedJob(name: $0.name, queue: name, data: $0.data, options: $0.options) }
        )
    }
}
