import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A worker that is connected to the server, and what it holds.
///
/// It may also be what is left of one: jobs that were delivered to a worker which
/// has gone, or has lost its connection, while their leases last. Its name and its
/// queues are not known then.
public struct WorkerInfo: Hashable, Sendable {
    /// A job that a worker holds.
    public struct HeldJob: Hashable, Sendable {
        public let job: JobID
        /// The queue that the job is in.
        public let queue: String
        /// When its lease began, by the server's clock.
        public let startedAt: Date
    }

    /// The name that the worker was given; empty where it has none.
    public let name: String
    /// The name of its client; empty where it has none, or is not connected.
    public let client: String
    /// Where its client comes from: an address and a port. Empty where that is not known, as for a client that is not connected.
    public let peer: String
    /// False: the connection is lost. The jobs go to others if it does not come back before their leases run out.
    public let isConnected: Bool
    /// The queues that it works on.
    public let queues: [String]
    /// Jobs that it could begin now.
    public let free: Int
    /// Jobs that it runs.
    public let held: Int
    /// Jobs that it has at hand and has not begun: see ``Worker/Options/prefetch``.
    public let reserved: Int
    /// The first hundred of those that it runs.
    public let jobs: [HeldJob]

    init(_ row: WorkerPage.Row) {
        name = row.worker
        client = row.client
        peer = row.peer
        isConnected = row.isConnected
        queues = row.queues
        free = Int(row.credits)
        held = Int(row.held)
        reserved = Int(row.reserved)
        jobs = row.jobs.map {
            HeldJob(job: JobID($0.job), queue: $0.queue, startedAt: Date(milliseconds: $0.startedAt))
        }
    }
}

extension PenstockClient {
    /// The workers that are connected to the server, those of other clients too, and what is left of lost ones: those
    /// that still hold jobs, with ``WorkerInfo/isConnected`` false.
    /// - Throws: ``PenstockError`` where the server can't be asked.
    public func workers() async throws(PenstockError) -> [WorkerInfo] { try await workers(of: "") }

    func workers(of queue: String) async throws(PenstockError) -> [WorkerInfo] {
        try await collect(from: UInt64(0)) { cursor throws(PenstockError) in
            let page = try await read(WorkerPage.self, GetWorkers(queue: queue, cursor: cursor))
            return (page.rows.map(WorkerInfo.init), page.next == 0 ? nil : page.next)
        }
    }
}

extension Queue {
    /// The workers that work on this queue, among others maybe, and lost ones that still hold jobs of it.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    public func workers() async throws(PenstockError) -> [WorkerInfo] {
        try Checks.queue(name)
        return try await client.workers(of: name)
    }
}
