import NIOCore
import PenstockWire

// The subscriptions of a session.

extension SessionStateMachine {
    /// A worker begins: subscribes now, and again on every further connection.
    mutating func begin(_ worker: WorkerID, _ subscription: Subscription, _ output: inout Output) {
        guard phase != .ended else { return }
        subscriptions[worker] = subscription
        if phase == .ready { subscribe(worker, &output) }
    }

    /// Streams do not survive a connection, so each subscription gets a new number: no credit is mixed up.
    mutating func subscribe(_ worker: WorkerID, _ output: inout Output) {
        guard let subscription = subscriptions[worker] else { return }
        subscriptions[worker]?.stream = nextStream
        output.frames.append(ByteBuffer(subscription.message, correlation: ownCorrelation(), stream: nextStream))
        nextStream += 1
    }

    /// A worker ends. Answered at once where no stream stands.
    mutating func end(_ worker: WorkerID, _ id: UInt32, _ context: Context, now: NIODeadline, _ output: inout Output) {
        guard let stream = subscriptions.removeValue(forKey: worker)?.stream, phase == .ready else {
            output.events.append(.answered(context, .success([])))
            return
        }
        endingStreams[stream] = worker
        let frame = ByteBuffer(Unsubscribe(), correlation: id, stream: stream)
        let read = Read(frame: frame, context: context, deadline: .distantFuture, isWait: false, survives: false)
        self.read(id, read, now: now, &output)
    }

    /// A job that was delivered on an earlier connection has ended: its place is free.
    mutating func credit(_ worker: WorkerID, generation: Int, _ output: inout Output) {
        guard let subscription = subscriptions[worker], subscription.generation == generation else { return }
        subscriptions[worker]?.credits += 1
        guard let stream = subscription.stream, phase == .ready else { return }
        output.frames.append(ByteBuffer(Credit(jobs: 1, bytes: 0), stream: stream))
    }

    /// Gives leases back. Where no connection stands the next resume does it, because it does not list them.
    mutating func release(_ tokens: [LeaseToken], _ output: inout Output) {
        guard !tokens.isEmpty, phase == .ready else { return }
        output.frames.append(ByteBuffer(Release(tokens: tokens), correlation: ownCorrelation()))
    }

    /// A worker that has not heard of the server for the time of its leases has lost them, as far as it can know.
    mutating func findOverdueLeases(now: NIODeadline, _ output: inout Output) {
        guard isOpened, phase == .offline || phase == .greeting else { return }
        for (worker, subscription) in subscriptions where !subscription.isOverdue {
            guard now - lastHeard > .milliseconds(subscription.lease) else { continue }
            subscriptions[worker]?.isOverdue = true
            output.events.append(.overdue(worker))
        }
    }

    func worker(of stream: UInt32) -> WorkerID? {
        subscriptions.first { $0.value.stream == stream }?.key ?? endingStreams[stream]
    }
}
