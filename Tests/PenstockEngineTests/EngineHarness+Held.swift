import LMDB
import PenstockWire
import Testing

@testable import PenstockEngine

extension OpenEngine {
    func deleteChildKeys(of job: JobID) throws {
        let environment = environment
        var transaction = try environment.beginWrite()
        try engine.deleteChildKeys(of: job, &transaction)
        try transaction.commit()
    }
}

/// What the worker of a job does besides ending its attempt.
extension EngineHarness {
    @discardableResult
    func stageHeld(
        _ lease: TestLease,
        _ action: HeldAdd.Action,
        result: Payload = .none,
        _ specs: [ItemSpec]
    ) -> UInt64 {
        let sequence = lease.session.draw()
        let add = Add(sequence: sequence, specs)
        var writer = WireWriter()
        HeldAdd(
            sequence: sequence,
            slot: lease.slot,
            token: lease.token,
            action: action,
            result: result,
            add: AddTail(queues: add.queues, items: add.items)
        ).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(action == .add ? .addHeld : .addCompleting, lease) {
            $0.sequence = sequence
            $0.duration = 30_000
            $0.body = body
        }
        return sequence
    }

    /// Adds to the held job in a batch of its own.
    ///
    /// - Throws: the refusal, as a `WireError`.
    @discardableResult
    func addHeld(_ lease: TestLease, _ specs: ItemSpec...) throws -> Added {
        let sequence = stageHeld(lease, .add, specs)
        try commit()
        let added = try added(sequence, specs, lease.session)
        if try record(lease.job)?.state == .active { noteWritten(lease.job) }
        return added
    }

    /// Completes the held job and adds what follows it, in a batch of their own.
    @discardableResult
    func complete(_ lease: TestLease, result: Payload = .none, adding specs: ItemSpec...) throws -> Added {
        let sequence = stageHeld(lease, .complete, result: result, specs)
        try commit()
        return try added(sequence, specs, lease.session)
    }

    @discardableResult
    func stageMove(
        _ lease: TestLease,
        to place: Move.Place = .waitingChildren,
        delay: UInt64 = 0,
        data: Payload? = nil
    ) -> UInt64 {
        let sequence = lease.session.draw()
        var writer = WireWriter()
        Move(sequence: sequence, slot: lease.slot, token: lease.token, to: place, delay: delay, data: data)
            .encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.move, lease) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    /// Puts the held job off in a batch of its own.
    ///
    /// - Returns: false where nothing is pending.
    func move(
        _ lease: TestLease,
        to place: Move.Place = .waitingChildren,
        delay: UInt64 = 0,
        data: Payload? = nil
    ) throws -> Bool {
        let sequence = stageMove(lease, to: place, delay: delay, data: data)
        try commit()
        return try hasMoved(sequence, lease.session)
    }

    func hasMoved(_ sequence: UInt64, _ session: TestSession) throws -> Bool {
        let outcome = try #require(session.outcomes[sequence])
        guard outcome.status == 0 else {
            throw WireError(ErrorCode(rawValue: outcome.status)!, try ErrorBody(reading: outcome.body).message)
        }
        var reader = WireReader(outcome.body.rawSpan)
        let moved = try MoveOutcome(from: &reader).hasMoved
        try reader.end("the outcome")
        return moved
    }
}
