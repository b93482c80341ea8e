import LMDB
import PenstockEngine
import PenstockWire

/// What the writer's results do on the loop's side.
extension Server {
    /// Takes in what has become durable: replies, freed slots, new jobs for the dispatcher.
    func takeResults() {
        guard failure == nil else { return }
        if let error = exchange.takeResults(&results) { return fail(error) }
        guard !results.isEmpty else { return }
        for index in results.indices { take(results[index]) }
        for result in results {
            for outcomes in result.outcomes { sessions[outcomes.sessionSlot]?.connection?.goOnIfPaused() }
        }
        exchange.recycle(&results)
    }

    private func take(_ result: BatchResult) {
        statistics.commits += 1
        statistics.commands += UInt64(result.commandCount)
        statistics.lastCommit = result.commit
        commandsInFlight -= result.commandCount
        nextDue = result.nextDue
        isPromoting = false
        nextTimed = result.nextTimed
        nextStartLimit = result.nextStartLimit
        nextSweep = result.nextDeduplicationEnd
        if nextSweep != .max { nextSweep += Server.sweepMilliseconds }
        isExpiring = false
        learnSchedulers(result)
        if result.hasCarriedOn { isCarryingOn = false }
        isSettling = result.isSettling
        carryOn()
        if result.hasSettled && nextHeld != .max { goOnWithHeld(hasSettled: true) }
        if result.hasMoreSessions { nextExpiry = 0 }
        if result.hasLookedForRetention || !result.finishedJobs.isEmpty { retention.note(result, now: clock.monotonic) }
        if !result.newQueues.isEmpty { learn(result.newQueues) }
        if !result.changedQueues.isEmpty || !result.limitedQueues.isEmpty { setGates(result) }
        for change in result.changedGroups {
            dispatcher.set(change.queue, change.group, concurrency: change.concurrency)
        }
        for slot in result.openedSessions { didOpen(slot) }
        for outcomes in result.outcomes { answer(outcomes, result) }
        dispatcher.settle(
            freed: result.freedSlots,
            kept: result.keptSlots,
            withdrawn: result.withdrawn,
            ready: result.ready,
            revoked: &revoked
        )
        dispatcher.leases.settled = result.commit
        staging.settled = result.commit
        // No run need come: there may be nothing to grant.
        for slot in dispatcher.takeWriteRequests() { writeLease(slot) }
        if !revoked.isEmpty { tellRevoked() }
        if !result.keptSlots.isEmpty { goOn(result.keptSlots) }
        for slot in result.endedSessions { didEnd(slot) }
        if !waits.isEmpty { answerWaits(result) }
        if !result.heard.isEmpty || events.isOn { takeEvents(result) }
        if !pendingSubscriptions.isEmpty { retryPendingSubscriptions() }
    }

    private func answer(_ outcomes: BatchResult.SessionOutcomes, _ result: borrowing BatchResult) {
        guard let session = sessions[outcomes.sessionSlot], session.id == outcomes.session else { return }
        session.apply(upTo: outcomes.sequence)
        if let connection = session.connection, connection.state != .closing {
            connection.send { writer in
                let start = writer.beginFrame(FrameHeader(.applied))
                writer.raw(result.bytes.span.extracting(outcomes.runs))
                writer.endFrame(start)
            }
            if outcomes.malformed {
                connection.fail(WireError(.malformed, "A command's body could not be read; its outcome says why."))
            }
        }
        if let waiting = session.welcoming, session.isSettled { welcome(waiting, session) }
    }

    private func setGates(_ result: borrowing BatchResult) {
        let now = clock.monotonic
        for change in result.changedQueues {
            dispatcher.set(change.queue, to: change.settings, now: now)
            if change.settings.isPaused { recall(change.queue, now: now) }
        }
        for limit in result.limitedQueues {
            dispatcher.rest(limit.queue, until: now &+ limit.milliseconds)
            recall(limit.queue, now: now)
        }
    }

    private func learn(_ queues: [QueueID]) {
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            try reads.learn(queues, snapshot)
        } catch {
            fail(error)
        }
    }

    private func tellRevoked() {
        for revocation in revoked {
            guard let session = sessions[revocation.lease.sessionSlot], let connection = session.connection else {
                continue
            }
            let (reason, message) = why(revocation.lease.job)
            let lease = Revoked.Lease(
                slot: revocation.slot,
                token: revocation.lease.token,
                reason: reason,
                message: message
            )
            connection.send(Revoked(leases: [lease]), stream: revocation.stream ?? 0)
        }
        revoked.removeAll(keepingCapacity: true)
    }

    /// Why a job was taken from its worker, as its record says.
    private func why(_ job: JobID) -> (Revoked.Reason, String) {
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            return try reads.whyRevoked(job, snapshot)
        } catch {
            fail(error)
            return (.withdrawn, "")
        }
    }

    private func answerWaits(_ result: borrowing BatchResult) {
        for job in result.finishedJobs {
            for request in waits.take(job) { answer(request, .job(job)) }
        }
        for flow in result.finishedFlows {
            for request in waits.take(flow) { answer(request, .flow(flow)) }
        }
    }

    private func answer(_ request: Waits.Request, _ target: Wait.Target) {
        // A connection that was closed by an answer before this one has no waits any more.
        guard let connection = connections[Int(request.connection)], connection.waitCount > 0 else { return }
        connection.waitCount -= 1
        answerFinished(target, request.header, connection)
    }
}
