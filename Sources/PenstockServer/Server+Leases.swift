import LMDB
import Logging
import PenstockEngine
import PenstockWire

/// Leases that the server itself has to do something about, and what readers see of them.
extension Server {
    /// Has old leases written, and ends those that ran out.
    func tendLeases(now: UInt64) {
        var slots: [UInt32] = []
        if dispatcher.leases.nextWrite <= now {
            dispatcher.leases.unwritten(
                grantedUpTo: now &- min(now, configuration.leaseWriteAfter),
                into: &slots
            )
            for slot in slots { writeLease(slot) }
            slots.removeAll()
        }
        while let slot = dispatcher.takeTimedOut(now: now) { timeOut(slot) }
        guard dispatcher.leases.nextDeadline <= now else { return }
        let sessions = sessions
        dispatcher.leases.expired(now: now, lastHeard: { sessions[$0]?.lastHeard ?? 0 }, into: &slots)
        for slot in slots { expire(slot) }
    }

    func writeLease(_ slot: UInt32) {
        let lease = dispatcher.leases[slot]
        guard let session = sessions[lease.sessionSlot] else { return }
        var command = command(.writeLease, slot, lease, session)
        command.duration = UInt64(lease.lockDuration)
        stage(command)
    }

    private func expire(_ slot: UInt32) {
        let worker = dispatcher.subscription(dispatcher.leases[slot].subscription)?.worker ?? ""
        let isReserved = dispatcher.leases[slot].isReserved
        let lease = isReserved ? dispatcher.cancelReservation(slot) : dispatcher.finish(slot)
        guard let session = sessions[lease.sessionSlot] else { return }
        logger.info(
            "a lease ran out",
            metadata: ["job": "\(lease.job)", "session": "\(session.id)", "worker": "\(Names.quoted(worker))"]
        )
        if !isReserved { stage(named(command(.stall, slot, lease, session), lease)) }
        session.connection?.send(
            Revoked(leases: [.init(slot: slot, token: lease.token, reason: .expired)])
        )
    }

    /// Ends a live lease whose attempt has taken longer than its job allows.
    private func timeOut(_ slot: UInt32) {
        let lease = dispatcher.finish(slot)
        guard let session = sessions[lease.sessionSlot] else { return }
        logger.info("an attempt took too long", metadata: ["job": "\(lease.job)", "session": "\(session.id)"])
        stage(named(command(.timeOut, slot, lease, session), lease))
        session.connection?.send(
            Revoked(leases: [.init(slot: slot, token: lease.token, reason: .timeout)])
        )
    }

    /// Gives a live or a reserved lease back: its job returns to its place.
    func returnLease(_ slot: UInt32, _ session: Session) {
        if dispatcher.leases[slot].isReserved {
            dispatcher.cancelReservation(slot)
            return
        }
        let lease = dispatcher.finish(slot)
        stage(named(command(.returnLease, slot, lease, session), lease))
    }

    /// Tends to leases that a command has left alive: meanwhile their session may have ended, or the server may stop.
    func goOn(_ slots: [UInt32]) {
        for slot in slots where dispatcher.leases.isLive(slot) {
            guard let session = sessions[dispatcher.leases[slot].sessionSlot] else { continue }
            if session.isEnding { returnLease(slot, session) } else if isStopping { writeLease(slot) }
        }
    }

    /// The command with the name of the lease's worker, which the history of attempts keeps.
    func named(_ command: Command, _ lease: Lease) -> Command {
        guard let name = dispatcher.subscription(lease.subscription)?.worker, !name.isEmpty else { return command }
        var command = command
        command.worker = staging.keep(Array(name.utf8).rawSpan)
        return command
    }

    /// A command that concerns a lease.
    func command(_ kind: Command.Kind, _ slot: UInt32, _ lease: Lease, _ session: Session) -> Command {
        var command = Command(kind)
        command.sessionSlot = session.slot
        command.session = session.id
        command.job = lease.job
        command.slot = slot
        command.token = lease.token
        command.settled = lease.settled
        command.startedAt = lease.startedAt
        if lease.attemptEnd > 0 {
            let now = clock.monotonic
            command.attemptEnd = clock.elapsed + (lease.attemptEnd > now ? lease.attemptEnd - now : 0)
        }
        return command
    }

    /// Brings the leases of an earlier run back: each gets its full duration, and its session may come back for it. The
    /// time of an attempt goes on from where the server stopped: the engine has seen to that.
    func restoreLeases(elapsed: UInt64) throws(ServerError) {
        let now = clock.monotonic
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            var found: [(JobID, LeaseRecord)] = []
            try sessionReads.leases(snapshot) { found.append(($0, $1)) }
            for (job, lease) in found {
                guard let place = try reads.place(of: job, snapshot) else { continue }
                let session: Session
                if let known = sessions[lease.session] {
                    session = known
                } else {
                    let applied = try sessionReads.applied(lease.session, snapshot) ?? 0
                    session = sessions.add(lease.session, isOpening: false, applied: applied, now: now)
                    stageConfirm(session)
                }
                guard lease.slot < LeaseTable.slotsMax else { throw LMDBError(.corrupted, in: .get) }
                dispatcher.leases.restore(
                    job,
                    token: lease.token,
                    queue: place.queue,
                    group: place.group,
                    turn: place.turn,
                    flow: place.flow,
                    sessionSlot: session.slot,
                    lockDuration: UInt32(clamping: lease.duration),
                    now: now,
                    startedAt: lease.startedAt,
                    at: lease.slot
                )
                if lease.attemptEnd > 0 {
                    let left = lease.attemptEnd > elapsed ? lease.attemptEnd - elapsed : 0
                    dispatcher.limit(lease.slot, until: now + left)
                }
            }
        } catch {
            throw .reader(error)
        }
    }

    /// Takes over what is set of groups; the leases of an earlier run are there by then.
    func restoreGroupLimits() throws(ServerError) {
        let reader = reader
        do throws(LMDBError) {
            var limits: [(queue: QueueID, group: GroupID, concurrency: UInt32)] = []
            try reads.groupLimits(try reader.begin()) { limits.append(($0, $1, $2)) }
            for limit in limits { dispatcher.set(limit.queue, limit.group, concurrency: limit.concurrency) }
        } catch {
            throw .reader(error)
        }
    }
}

/// What readers have to know of the leases in memory: a job that is reserved waits still.
struct ServerLeases: LeaseLookup {
    unowned let server: Server

    func lease(of job: JobID) -> LeaseOverlay? {
        guard let slot = server.dispatcher.leases.slot(of: job) else { return nil }
        let lease = server.dispatcher.leases[slot]
        return lease.isReserved ? nil : overlay(lease)
    }

    func leases(in flow: FlowID, _ body: (LeaseOverlay) -> Void) {
        server.dispatcher.leases.forEachHeld { _, lease in
            if lease.flow == flow && !lease.isReserved { body(overlay(lease)) }
        }
    }

    func leases(in queue: QueueID, _ body: (LeaseOverlay) -> Void) {
        server.dispatcher.leases.forEachHeld { _, lease in
            if lease.queue == queue && !lease.isReserved { body(overlay(lease)) }
        }
    }

    func forEach(_ body: (LeaseOverlay) -> Void) {
        server.dispatcher.leases.forEachHeld { _, lease in
            if !lease.isReserved { body(overlay(lease)) }
        }
    }

    func worker(of job: JobID) -> String {
        guard let slot = server.dispatcher.leases.slot(of: job) else { return "" }
        return server.dispatcher.subscription(server.dispatcher.leases[slot].subscription)?.worker ?? ""
    }

    private func overlay(_ lease: Lease) -> LeaseOverlay {
        LeaseOverlay(
            job: lease.job,
            queue: lease.queue,
            group: lease.group,
            flow: lease.flow,
            startedAt: lease.startedAt
        )
    }
}
