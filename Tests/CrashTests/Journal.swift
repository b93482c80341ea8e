import PenstockWire
import Synchronization

/// The ledger that all clients of a run write into, and what has changed in it since somebody looked.
final class Journal: Sendable {
    /// What has to be looked at again.
    struct Touched: Sendable {
        var adds: Set<Ledger.Key> = []
        var jobs: Set<JobID> = []
    }

    private struct State {
        var ledger: Ledger
        var touched = Touched()
        var added = 0
        var settled = 0
    }

    private let state: Mutex<State>

    init(clients: Int) { state = Mutex(State(ledger: Ledger(clients: clients))) }

    var ledger: Ledger { state.withLock { $0.ledger } }

    func takeTouched() -> Touched {
        state.withLock { state in
            defer { state.touched = Touched() }
            return state.touched
        }
    }

    /// Jobs added and not seen to finish: how far the workers are behind.
    var backlog: Int { state.withLock { $0.added - $0.settled } }

    func violation(_ text: String) { state.withLock { $0.ledger.violations.append(text) } }

    /// Enters a command that is about to be sent for the first time.
    func attempt(_ client: Int, _ kind: Ledger.Kind, mustBeFenced: Bool = false) {
        state.withLock { state in
            let command = Ledger.Command(kind: kind, at: Threads.nanoseconds, mustBeFenced: mustBeFenced)
            state.ledger.commands[client].append(command)
            let sequence = UInt64(state.ledger.commands[client].count)
            if case .add = kind { state.touched.adds.insert(Ledger.Key(client: client, sequence: sequence)) }
        }
    }

    /// Notes in which start of the server a command is sent; one whose lease is of another start may be fenced.
    func send(_ key: Ledger.Key, epoch: UInt64) {
        state.withLock { state in
            let place = Int(key.sequence) - 1
            guard let token = state.ledger.commands[key.client][place].kind.token else { return }
            if state.ledger.leases[token]?.epoch != epoch {
                state.ledger.commands[key.client][place].mayBeFenced = true
            }
        }
    }

    /// Enters an outcome. A second one for the same command has to be the first again.
    func outcome(_ key: Ledger.Key, _ outcome: Ledger.Outcome) {
        state.withLock { state in
            guard let command = state.ledger[key] else {
                state.ledger.violations.append("an outcome for \(key), which was never sent")
                return
            }
            if let first = command.outcome {
                var again = outcome
                again.at = first.at
                if again != first {
                    state.ledger.violations.append("the outcome of \(key) was \(first), and is now \(outcome)")
                }
                return
            }
            state.ledger.commands[key.client][Int(key.sequence) - 1].outcome = outcome
            guard outcome.isOK else { return }
            switch command.kind {
            case .add:
                state.touched.adds.insert(key)
                state.added += outcome.items.reduce(0) { $0 + Int($1.nodes) - $1.existing.count }
            case .complete(let token, _), .fail(let token, _):
                if let lease = state.ledger.leases[token] { state.touched.jobs.insert(lease.job) }
                state.settled += 1
            }
        }
    }

    /// Enters a lease that was delivered; no other of the job may be alive.
    func delivered(_ client: Int, _ delivery: Delivery, epoch: UInt64) {
        state.withLock { state in
            if state.ledger.leases[delivery.token] != nil {
                state.ledger.violations.append("token \(delivery.token) was delivered twice")
            }
            if delivery.token.rawValue >> 40 != epoch {
                state.ledger.violations.append("token \(delivery.token) is not of epoch \(epoch)")
            }
            if delivery.stalledCount != 0 {
                state.ledger.violations.append("job \(delivery.job) has stalled, though no lease ran out")
            }
            if let last = state.ledger.lastLease[delivery.job], let lease = state.ledger.leases[last],
                !lease.hasEnded, lease.epoch == epoch
            {
                state.ledger.violations.append(
                    "job \(delivery.job) was delivered to client \(client) as \(delivery.token) while \(last) of client \(lease.client) lived"
                )
            }
            state.ledger.leases[delivery.token] = Ledger.Lease(client: client, job: delivery.job, epoch: epoch)
            state.ledger.lastLease[delivery.job] = delivery.token
        }
    }

    /// A lease is about to be given up by its client, or is told to be dead.
    func ended(_ token: LeaseToken) { state.withLock { $0.ledger.leases[token]?.hasEnded = true } }

    /// A lease has lived through a restart of the server; no other of its job may have been given meanwhile.
    func survived(_ token: LeaseToken, epoch: UInt64) {
        state.withLock { state in
            guard let lease = state.ledger.leases[token] else { return }
            state.ledger.leases[token]?.epoch = epoch
            if let last = state.ledger.lastLease[lease.job], last != token {
                state.ledger.violations.append("token \(token) of job \(lease.job) lives, and so does \(last)")
            }
        }
    }

    /// Any token of another client.
    func foreignToken(to client: Int, _ random: inout SplitMix) -> LeaseToken? {
        state.withLock { state in
            // A few looks are enough: whether one is found does not matter.
            for _ in 0..<4 {
                if let (token, lease) = state.ledger.leases.randomElement(using: &random), lease.client != client {
                    return token
                }
            }
            return nil
        }
    }
}

extension Ledger.Kind {
    var token: LeaseToken? {
        switch self {
        case .add: nil
        case .complete(let token, _), .fail(let token, _): token
        }
    }
}
