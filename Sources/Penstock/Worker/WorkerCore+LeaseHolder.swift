import PenstockWire
import Synchronization

extension WorkerCore: LeaseHolder {
    func subscribed() { hasSubscribed.store(true, ordering: .relaxed) }

    func receive(_ deliveries: [Delivery]) -> [LeaseToken] {
        let (waiter, unwanted, generation) = state.withLock { machine in
            let (waiter, unwanted) = machine.receive(deliveries)
            return (waiter, unwanted, machine.generation)
        }
        waiter?.resume()
        link.credit(id, generation: generation, count: unwanted.credits)
        return unwanted.tokens
    }

    func revoke(_ leases: [LeaseToken: JobCancellation]) {
        let (cancelled, credits, generation) = state.withLock { machine in
            let (cancelled, credits) = machine.revoke(leases)
            return (cancelled, credits, machine.generation)
        }
        cancel(cancelled)
        link.credit(id, generation: generation, count: credits)
    }

    func recall(_ tokens: [LeaseToken]) -> [LeaseToken] {
        let (returned, cancelled, generation) = state.withLock { machine in
            let (returned, cancelled) = machine.recall(Set(tokens))
            return (returned, cancelled, machine.generation)
        }
        cancel(cancelled)
        link.credit(id, generation: generation, count: returned.credits)
        return returned.tokens
    }

    func loseAll() {
        let cancelled = state.withLock { machine -> Machine.Cancelled in machine.loseAll() }
        cancel(cancelled)
    }

    func end(_ error: PenstockError) {
        // Whoever has asked for the end before is not told of another reason.
        guard !stopped.hasFired else { return }
        failure.withLock { $0 = $0 ?? error }
        askToStop()
    }

    func held() -> HeldLeases { state.withLock { $0.held() } }
}

extension Completion {
    init(_ delivery: Delivery, _ result: RawPayload) {
        self.init(
            slot: delivery.slot,
            token: delivery.token,
            contentType: ContentType(rawValue: result.kind.rawValue),
            result: result.bytes
        )
    }
}

extension Failure {
    init(_ delivery: Delivery, _ message: String, unrecoverable: Bool, delay: UInt64?) {
        self.init(
            slot: delivery.slot,
            token: delivery.token,
            unrecoverable: unrecoverable,
            delay: delay,
            message: message
        )
    }
}
