import PenstockEngine
import PenstockWire
import UV

/// Who works here, and on what: answered from memory.
extension Server {
    /// The jobs of one worker.
    private struct Held {
        var count: UInt32 = 0
        var reserved: UInt32 = 0
        var jobs: [WorkerPage.Job] = []
        /// Of all of them.
        var queues: Set<QueueID> = []
    }

    /// The places of sessions come behind those of all subscriptions.
    private static let firstSessionPlace: UInt64 = 1 << 32

    /// The subscriptions in the order of their places, then the sessions that hold jobs of subscriptions that are gone.
    ///
    /// - Complexity: O(subscriptions + leases).
    func workers(_ request: GetWorkers) throws(WireError) -> WorkerPage {
        var queue: QueueID?
        if !request.queue.isEmpty {
            let name = Array(request.queue.utf8)
            try Names.checkQueue(name.rawSpan)
            queue = reads.queueIDs[request.queue]
            guard queue != nil else {
                throw WireError(.queueNotFound, "There is no queue \(Names.quoted(request.queue)).")
            }
        }
        let held = heldJobs(of: queue, from: request.cursor)
        let limit = reads.rowLimit(request.rows)
        var page = WorkerPage()
        var bytes = 0
        for place in places(from: request.cursor, held: held) {
            if page.rows.count == limit || bytes >= Limits.pageBytesMax {
                page.next = place
                break
            }
            guard let row = row(at: place, held[place] ?? Held(), of: queue) else { continue }
            bytes += row.byteCount
            page.rows.append(row)
        }
        return page
    }

    /// The jobs of each worker whose place is not before the cursor.
    private func heldJobs(of queue: QueueID?, from cursor: UInt64) -> [UInt64: Held] {
        var held: [UInt64: Held] = [:]
        dispatcher.leases.forEachHeld { _, lease in
            let place =
                dispatcher.subscriptions.place(lease.subscription).map { UInt64($0) + 1 }
                ?? Server.firstSessionPlace + UInt64(lease.sessionSlot)
            guard place >= cursor else { return }
            held[place, default: Held()].queues.insert(lease.queue)
            if lease.isReserved {
                held[place, default: Held()].reserved += 1
                return
            }
            held[place, default: Held()].count += 1
            if held[place]?.jobs.count ?? 0 < Limits.workerJobsMax {
                let queue = reads.queueNames[Int(lease.queue.rawValue) - 1]
                let job = WorkerPage.Job(job: lease.job, queue: queue, startedAt: lease.startedAt)
                held[place]?.jobs.append(job)
            }
        }
        return held
    }

    private func places(from cursor: UInt64, held: [UInt64: Held]) -> [UInt64] {
        let entries = dispatcher.subscriptions.entries
        var places: [UInt64] = []
        for index in entries.indices where !entries[index].isVacant && UInt64(index) + 1 >= cursor {
            places.append(UInt64(index) + 1)
        }
        return places + held.keys.filter { $0 >= Server.firstSessionPlace }.sorted()
    }

    /// - Returns: nil for a worker that has nothing to do with the queue.
    private func row(at place: UInt64, _ held: Held, of queue: QueueID?) -> WorkerPage.Row? {
        var row = WorkerPage.Row()
        let session: Session?
        if place < Server.firstSessionPlace {
            let subscription = dispatcher.subscriptions.entries[Int(place) - 1].subscription
            if let queue, !subscription.queues.contains(queue) { return nil }
            session = sessions[subscription.sessionSlot]
            row.isSubscribed = true
            row.worker = subscription.worker
            row.queues = subscription.queues.map { reads.queueNames[Int($0.rawValue) - 1] }
            row.credits = UInt32(max(subscription.creditJobs, 0))
        } else {
            if let queue, !held.queues.contains(queue) { return nil }
            session = sessions[UInt32(place - Server.firstSessionPlace)]
        }
        guard let session else { return nil }
        row.session = session.id
        row.isConnected = session.connection != nil
        row.client = session.connection?.client ?? ""
        row.peer = session.connection?.stream.peerName ?? ""
        row.held = held.count
        row.reserved = held.reserved
        row.jobs = held.jobs
        return row
    }
}
