import PenstockWire

/// A queue of a server: to add jobs to, one by one, and to look at.
///
/// It exists from the first time on that something is added to it or set of it, or that
/// a worker asks for its jobs.
public struct Queue: Sendable {
    /// 1...128 bytes of UTF-8, without `:`.
    public let name: String
    let client: PenstockClient

    public init(_ name: String, _ client: PenstockClient) {
        self.name = name
        self.client = client
    }

    /// Adds a job and returns once it is stored for good.
    ///
    /// No producer is part of this: its defaults, options and interceptors do not apply.
    ///
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the job may have
    ///   been added, or not; give it an id to be able to add it again.
    @discardableResult
    public func add<Data: Encodable & Sendable>(
        _ name: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions()
    ) async throws(PenstockError) -> JobHandle {
        try await FlowProducer(client).add(name, queue: self.name, data: data, options: options)
    }

    /// How many jobs there are in each state, at one moment of the server's.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    public func counts() async throws(PenstockError) -> JobCounts {
        try Checks.queue(name)
        return JobCounts(try await client.read(QueueView.self, GetQueue(queue: name)).counts)
    }

    /// A job of the queue.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where there is none, or where it is in another queue.
    public func job(_ id: JobID) async throws(PenstockError) -> JobHandle {
        let view = try await client.read(JobView.self, GetJob(job: .id(id.wire)))
        guard view.queue == name else {
            throw PenstockError(.jobNotFound, "The job \(id) is in the queue \(view.queue), not in \(name).")
        }
        return JobHandle(view, client)
    }

    /// The job of the queue that was added with the given id of the caller's.
    public func job(customID: String) async throws(PenstockError) -> JobHandle {
        try Checks.queue(name)
        try Checks.customID(customID)
        let request = GetJob(job: .custom(queue: name, id: customID))
        return JobHandle(try await client.read(JobView.self, request), client)
    }
}

extension JobHandle {
    init(_ view: JobView, _ client: PenstockClient) {
        self.init(id: JobID(view.id), queue: view.queue, name: view.name, isExisting: true, client: client)
    }
}
