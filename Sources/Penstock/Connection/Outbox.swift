import NIOCore
import PenstockWire
import Synchronization

/// Whoever waits for the answer to a request.
typealias Waiter = CheckedContinuation<Result<[UInt8], PenstockError>, Never>

/// What any thread may ask of a session.
enum SessionCommand: Sendable {
    case command(ByteBuffer, request: UInt32, Waiter?, deadline: NIODeadline)
    case read(ByteBuffer, request: UInt32, Waiter, deadline: NIODeadline, isWait: Bool, survives: Bool)
    /// Answered when what was completed before it has its outcome.
    case barrier(request: UInt32, Waiter, deadline: NIODeadline)
    case cancel(request: UInt32)
    case begin(WorkerID, Subscription, any LeaseHolder)
    case end(WorkerID, request: UInt32, Waiter)
    case credit(WorkerID, generation: Int, count: Int)
    case resize(WorkerID, concurrency: Int)
    case release([LeaseToken])
    case listen(EventFeed)
    case unlisten(ListenerID)
    case creditEvents(ListenerID, generation: Int, bytes: Int)

    var isBarrier: Bool {
        if case .barrier = self { true } else { false }
    }
}

/// Where all threads put what the event loop is to send: one lock each, and one wake for all that gathers before it.
final class Outbox: Sendable {
    private struct Content: ~Copyable {
        var started: [Started.Lease] = []
        var commands: [SessionCommand] = []
        var completions = CompletionBatch(.complete)
        var failures = CompletionBatch(.fail)
        /// True from the first item until the event loop takes them all.
        var isScheduled = false

        mutating func schedule() -> Bool {
            if isScheduled { return false }
            isScheduled = true
            return true
        }
    }

    /// What has gathered.
    struct Batch {
        /// Reserved jobs that have started. They go first: what was asked for after them may end them.
        var started: [Started.Lease]
        var commands: [SessionCommand]
        /// Frames of completions and failures.
        var frames: [(ByteBuffer, Int)]
    }

    private let content = Mutex(Content())

    /// Each of these returns true where the event loop has to be told.
    func put(_ command: SessionCommand) -> Bool {
        content.withLock {
            $0.commands.append(command)
            return $0.schedule()
        }
    }

    func put(_ started: Started.Lease) -> Bool {
        content.withLock {
            $0.started.append(started)
            return $0.schedule()
        }
    }

    func put(_ completion: Completion) -> Bool {
        content.withLock {
            $0.completions.append(completion)
            return $0.schedule()
        }
    }

    func put(_ failure: Failure) -> Bool {
        content.withLock {
            $0.failures.append(failure)
            return $0.schedule()
        }
    }

    func take() -> Batch {
        content.withLock {
            $0.isScheduled = false
            let (started, commands) = ($0.started, $0.commands)
            ($0.started, $0.commands) = ([], [])
            return Batch(started: started, commands: commands, frames: $0.completions.take() + $0.failures.take())
        }
    }
}
