import NIOCore
import PenstockWire

/// The lease under which a handler runs, and what can be done only with it.
struct HeldLease: Sendable {
    let slot: UInt32
    let token: LeaseToken
    private let worker: WorkerCore

    init(_ delivery: Delivery, _ worker: WorkerCore) {
        slot = delivery.slot
        token = delivery.token
        self.worker = worker
    }

    /// Adds what a plan says, as children of the held job.
    func add(_ plan: AddPlan, _ client: PenstockClient) async throws(PenstockError) -> AddOutcome {
        try await send(try plan.frame(under: self), client)
    }

    /// Completes the held job and adds what a plan says, both or neither.
    func complete(
        _ result: RawPayload,
        adding plan: AddPlan,
        _ client: PenstockClient
    ) async throws(PenstockError) -> AddOutcome {
        do {
            let outcome = try await send(try plan.frame(under: self, completing: result), client)
            worker.ended(token)
            return outcome
        } catch {
            // The attempt is over, and has failed.
            if error.code == .unresolvedDependencies { worker.ended(token) }
            throw error
        }
    }

    /// Completes the held job, and returns once that is stored.
    func end(_ completion: Completion, _ client: PenstockClient) async throws(PenstockError) {
        try await end(ByteBuffer(Complete(sequence: 0, completions: [completion])), client)
    }

    /// Fails the attempt, and returns once that is stored.
    func end(_ failure: Failure, _ client: PenstockClient) async throws(PenstockError) {
        try await end(ByteBuffer(Fail(sequence: 0, failures: [failure])), client)
    }

    private func end(_ frame: ByteBuffer, _ client: PenstockClient) async throws(PenstockError) {
        do {
            try await client.command(frame, over: client.workerLink) { _ in }
            worker.ended(token)
        } catch {
            // The lease is gone, or the attempt is over, and has failed.
            if error.code == .fenced || error.code == .unresolvedDependencies { worker.ended(token) }
            throw error
        }
    }

    private func send(_ frame: ByteBuffer, _ client: PenstockClient) async throws(PenstockError) -> AddOutcome {
        try await client.command(frame, over: client.workerLink) { (reader) throws(WireError) in
            try AddOutcome(from: &reader)
        }
    }

    /// Tells of the job; it goes on.
    func report(
        progress: RawPayload? = nil,
        data: RawPayload? = nil,
        lines: [String] = [],
        _ client: PenstockClient
    ) async throws(PenstockError) {
        if let data { try Checks.data(data.bytes) }
        if let progress, progress.bytes.count > Limits.progressBytesMax {
            throw PenstockError(
                .payloadTooLarge,
                "Progress of \(progress.bytes.count) bytes; at most \(Limits.progressBytesMax) are allowed."
            )
        }
        let report = Report(
            sequence: 0,
            slot: slot,
            token: token,
            progress: progress?.wire,
            data: data?.wire,
            lines: lines
        )
        try await client.command(ByteBuffer(report), over: client.workerLink) { _ in }
    }

    /// Puts the job off.
    ///
    /// - Parameter data: what the job's data is from now on; nil: as it was.
    /// - Returns: false where it was to wait for its children and nothing is pending: the lease stays.
    func move(
        to place: Move.Place,
        delay: UInt64 = 0,
        data: RawPayload?,
        _ client: PenstockClient
    ) async throws(PenstockError) -> Bool {
        if let data { try Checks.data(data.bytes) }
        let move = Move(sequence: 0, slot: slot, token: token, to: place, delay: delay, data: data?.wire)
        let outcome = try await client.command(ByteBuffer(move), over: client.workerLink) {
            (reader) throws(WireError) in try MoveOutcome(from: &reader)
        }
        if outcome.hasMoved { worker.ended(token) }
        return outcome.hasMoved
    }
}
