import PenstockWire

@testable import PenstockEngine

/// One thing that happens in a history: a value, so that a history can be run again, and without some of it.
///
/// Jobs are named by their ids; what can't be done when its turn comes is left out.
enum Operation {
    // Between two batches.
    case advance(UInt64)
    /// Somebody sets the wall clock: forward, or back.
    case stepWall(Int64)
    case restart(after: UInt64)
    case lease(queue: String, count: Int, session: Int)
    /// Takes what need not be kept any more.
    case retain
    /// Runs the schedulers that are due.
    case runSchedulers
    /// Fails what nobody has started in time.
    case expire
    /// An add in parts of so many nodes.
    case stage([ItemSpec], nodes: Int, session: Int, restarts: Bool)

    // Commands of a batch.
    case add([ItemSpec], session: Int)
    case complete(JobID, ContentType, bytes: Int)
    /// Said twice: the second time the lease has ended.
    case completeTwice(JobID)
    case fail(JobID, unrecoverable: Bool, delay: UInt64?, bytes: Int)
    case giveBack(JobID)
    case stall(JobID)
    case timeOut(JobID)
    /// An old token of a written lease changes nothing.
    case completeLate(JobID)
    case writeLease(JobID)
    case addHeld(JobID, completes: Bool, [ItemSpec])
    case move(JobID, Move.Place, delay: UInt64, data: Bool)
    case report(JobID, progress: Bool, data: Bool, lines: Int)
    case promote
    case confirm(session: Int, row: Int)
    case cancel(Cancel.Target, session: Int)
    case retry(Retry.Target, keepsCounters: Bool, reruns: Bool, data: Bool, session: Int)
    case finish(JobID, fails: Bool, session: Int)
    case resolve(JobID, JobID, Resolve.Resolution, session: Int)
    case remove(Remove.Target, session: Int)
    case clean(queue: String, Clean.Kind, session: Int)
    case update(JobID, data: Bool, priority: UInt32?, delay: UInt64?, session: Int)
    case promoteNow(Promote.Target, session: Int)
    case clearLogs(JobID, keep: UInt32, session: Int)
    case setQueue(String, SetQueue.Given, QueueSettings, session: Int)
    case setScheduler(String, every: UInt64, limit: UInt64?, ItemSpec)
    case removeScheduler(String)
    /// Goes on with what large effects have left.
    case carryOn

    /// The batch is applied, and everything compared.
    case commit

    var isBetweenBatches: Bool {
        switch self {
        case .advance, .stepWall, .restart, .lease, .retain, .runSchedulers, .expire, .stage: true
        default: false
        }
    }
}
