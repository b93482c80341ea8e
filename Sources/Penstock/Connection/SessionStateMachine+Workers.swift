import NIOCore
import PenstockWire

// The subscriptions of a session.

extension SessionStateMachine {
    /// A worker begins: subscribes now, and again on every further connection.
    mutating func begin(_ worker: WorkerID, _ subscription: Subscription, _ output: inout Output) {
        guard phase != .ended else { return }
        subscriptions[worker] = subscription
        leaseTimes[worker] = subscription.lease
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
        var read = Read(frame: frame, context: context, deadline: .distantFuture, isWait: false, survives: false)
        read.endingStream = stream
        self.read(id, read, now: now, &output)
    }

    /// The last handler of a worker has ended: it holds nothing any more.
    mutating func forget(_ worker: WorkerID) {
        leaseTimes[worker] = nil
        overdue.remove(worker)
    }

    /// A job that was delivered on an earlier connection has ended: its place is free.
    mutating func credit(_ worker: WorkerID, generation: Int, count: Int, _ output: inout Output) {
        guard subscriptions[worker]?.generation == generation else { return }
        changeCredits(worker, by: count, &output)
    }

    /// A worker takes more jobs at the same time from now on, or fewer.
    mutating func resize(_ worker: WorkerID, _ concurrency: Int, _ output: inout Output) {
        guard let subscription = subscriptions[worker] else { return }
        subscriptions[worker]?.concurrency = concurrency
        changeCredits(worker, by: concurrency - subscription.concurrency, &output)
    }

    /// What the worker owes, because it holds more jobs of earlier connections than it may run, the server never knew of.
    private mutating func changeCredits(_ worker: WorkerID, by count: Int, _ output: inout Output) {
        guard let subscription = subscriptions[worker] else { return }
        let credits = subscription.credits + count
        subscriptions[worker]?.credits = credits
        guard let stream = subscription.stream, phase == .ready else { return }
        let change = max(credits, 0) - max(subscription.credits, 0)
        if change > 0 { output.frames.append(ByteBuffer(Credit(jobs: UInt32(change), bytes: 0), stream: stream)) }
        if change < 0 { output.frames.append(ByteBuffer(Debit(jobs: UInt32(-change), bytes: 0), stream: stream)) }
    }

    /// Reserved jobs have started.
    mutating func start(_ leases: [Started.Lease], _ output: inout Output) {
        guard !leases.isEmpty, phase != .ended else { return }
        untoldStarts += leases
        if phase == .ready { tellStarts(&output) }
    }

    mutating func tellStarts(_ output: inout Output) {
        for start in stride(from: 0, to: untoldStarts.count, by: Limits.tokensPerFrameMax) {
            let leases = untoldStarts[start..<min(start + Limits.tokensPerFrameMax, untoldStarts.count)]
            output.frames.append(ByteBuffer(Started(leases: Array(leases))))
        }
        untoldStarts.removeAll()
    }

    /// Gives leases back. Where no connection stands the next resume does it, because it does not list them; a HOLD
    /// that is under way does list them, so they follow it.
    mutating func release(_ tokens: [LeaseToken], _ output: inout Output) {
        if phase == .holding { releasedInHold.append(tokens) }
        guard !tokens.isEmpty, phase == .ready else { return }
        output.frames.append(ByteBuffer(Release(tokens: tokens), correlation: ownCorrelation()))
    }

    /// A worker that has not heard of the server for the time of its leases has lost them, as far as it can know.
    mutating func findOverdueLeases(now: NIODeadline, _ output: inout Output) {
        guard isOpened, phase == .offline || phase == .greeting else { return }
        for (worker, lease) in leaseTimes where now - lastHeard > .milliseconds(lease) {
            if overdue.insert(worker).inserted { output.events.append(.overdue(worker)) }
        }
    }

    func worker(of stream: UInt32) -> WorkerID? {
        subscriptions.first { $0.value.stream == stream }?.key ?? endingStreams[stream]
    }
}
