import PenstockEngine
import PenstockWire

/// What the worker of a job does besides ending its attempt: it adds to the job, or puts it off.
///
/// Only the engine knows whether a move, or a completion with an add, ends the
/// lease. So the lease is pending till the result comes: it can't run out, its
/// token counts for nothing else, and its credit stays taken. The result frees
/// the slot or lets the lease go on, exactly one of the two.
extension Server {
    func addHeld(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try session.accept(first: sequence, count: 1, addBytes: body.frameBytes)
        let head: HeldAdd.Head
        do throws(WireError) { head = try HeldAdd.Head(body) } catch { return refuse(sequence, session, error) }
        let lease: Lease?
        switch head.action {
        case .add: lease = dispatcher.find(head.slot, token: head.token, sessionSlot: session.slot)
        case .complete: lease = dispatcher.suspend(head.slot, token: head.token, sessionSlot: session.slot)
        }
        guard let lease else { return refuse(sequence, session, .fencedLease) }
        var command = command(head.action == .add ? .addHeld : .addCompleting, head.slot, lease, session)
        command.sequence = sequence
        // The engine writes the lease before the job is given dependencies.
        command.duration = UInt64(lease.lockDuration)
        command.body = staging.keep(body)
        stage(named(command, lease))
    }

    func report(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try session.accept(first: sequence, count: 1, addBytes: 0)
        let head: Report.Head
        do throws(WireError) { head = try Report.Head(body) } catch { return refuse(sequence, session, error) }
        guard let lease = dispatcher.find(head.slot, token: head.token, sessionSlot: session.slot) else {
            return refuse(sequence, session, .fencedLease)
        }
        var command = command(.report, head.slot, lease, session)
        command.sequence = sequence
        command.body = staging.keep(body)
        stage(command)
    }

    func move(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try session.accept(first: sequence, count: 1, addBytes: 0)
        let head: Move.Head
        do throws(WireError) { head = try Move.Head(body) } catch { return refuse(sequence, session, error) }
        guard let lease = dispatcher.suspend(head.slot, token: head.token, sessionSlot: session.slot) else {
            return refuse(sequence, session, .fencedLease)
        }
        var command = command(.move, head.slot, lease, session)
        command.sequence = sequence
        command.body = staging.keep(body)
        stage(named(command, lease))
    }
}
