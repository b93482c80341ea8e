package import PenstockWire

/// What the engine is asked to do: one command, in a fixed size. Its bytes are in the batch's arena.
package struct Command: Sendable {
    package enum Kind: UInt8, Sendable {
        // Of a session, numbered by it.
        case add
        case complete
        case fail
        /// The worker of a job adds to it, or beside it; the job goes on running.
        case addHeld
        /// The worker of a job completes it and adds what follows.
        case addCompleting
        /// The worker of a job puts it off.
        case move
        case cancel
        case retry
        case finish
        case resolve
        case stage
        case remove
        case clean
        case update
        case clearLogs
        /// The worker of a job tells how far it is.
        case report
        case setQueue
        case setGroup
        /// Delayed jobs need not wait any longer, whoever says so.
        case promoteJobs
        /// The next add with a deduplication id makes a job.
        case removeDeduplication
        /// The times that the calendar says stand before the message's body.
        case setScheduler
        case removeScheduler
        /// The server's loop has refused a numbered command; it uses up its number all the same.
        case refuse

        // Of the server.
        case openSession
        case endSession
        /// The client has every outcome up to `sequence`.
        case confirm
        /// Somebody wants jobs of a queue that nobody has named before; its name is in the arena.
        case makeQueue
        /// The lease is old enough to be kept over a restart.
        case writeLease
        /// The lease was given back: the job returns to its place.
        case returnLease
        /// The lease ran out.
        case stall
        /// The attempt took longer than its job allows.
        case timeOut
        /// Jobs were not started in time; deduplication ids are free again.
        case expire
        /// Delayed jobs are due.
        case promote
        /// Sessions that nobody came back to are forgotten.
        case expireSessions
        /// Large effects are carried on with.
        case carryOn
        /// Finished jobs that need not be kept any more are removed.
        case retain
        /// A scheduler is due; ``SchedulerRun`` is in the arena.
        case runScheduler
        /// Somebody listens to what happens, or nobody does any more; the message's scope is in the arena.
        case listen
        case unlisten
    }

    package var kind: Kind
    /// Flags of a failure; ``Failure`` names them.
    package var flags: UInt8 = 0
    package var contentType = ContentType.none
    /// What a refused command is refused with; the message is in the arena.
    package var status = ErrorCode.ok
    /// The session's place in the server's table: outcomes are gathered by it.
    package var sessionSlot: UInt32 = 0
    package var session = SessionID(high: 0, low: 0)
    package var sequence: UInt64 = 0
    package var job = JobID.none
    /// The lease's place in the server's table.
    package var slot: UInt32 = 0
    package var token = LeaseToken.none
    /// The last commit that the dispatcher knew of when it granted the lease.
    package var settled: UInt64 = 0
    /// Wall time at which the lease was granted, in milliseconds.
    package var startedAt: UInt64 = 0
    /// Milliseconds: a failure's own delay, or a written lease's duration.
    package var duration: UInt64 = 0
    /// Elapsed time at which the lease's attempt has to have ended; 0: at any time.
    package var attemptEnd: UInt64 = 0
    /// The body of a message that the engine reads, a result, a failure's message, a refusal's message.
    package var body = ByteRange.empty
    /// A failure's details.
    package var details = ByteRange.empty
    /// The name of the worker whose attempt ends without success.
    package var worker = ByteRange.empty

    package init(_ kind: Kind) { self.kind = kind }
}

/// A lease began or ended at a slot since the last batch; `job` is none where it ended.
package struct SlotChange: Sendable {
    package var slot: UInt32
    package var job: JobID

    package init(slot: UInt32, job: JobID) {
        self.slot = slot
        self.job = job
    }
}

/// Commands that are applied and made durable together, and everything they need.
///
/// The engine reads no clock and draws no random number: both come with the
/// batch, so that the same batches give the same database.
package struct Batch: Sendable {
    package var commands: [Command] = []
    /// The bytes that the commands' ranges point into.
    package var arena = WireWriter(capacity: 4096)
    /// The changes of the lease set since the last batch, in order.
    package var slotChanges: [SlotChange] = []
    /// The last commit that the dispatcher knew of when it staged the batch's first command.
    package var settled: UInt64 = .max
    /// Milliseconds of the persisted clock that no wall clock moves.
    package var elapsed: UInt64 = 0
    /// Wall time in milliseconds since 1970.
    package var wall: UInt64 = 0
    /// Seed of the jitter.
    package var seed: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { commands.isEmpty && slotChanges.isEmpty }

    /// Copies the bytes into the arena and returns where they are.
    package mutating func keep(_ bytes: RawSpan) -> ByteRange {
        let range = ByteRange(offset: arena.count, count: bytes.byteCount)
        arena.raw(bytes)
        return range
    }

    /// Appends what the other batch holds, and empties it.
    package mutating func take(_ other: inout Batch) {
        if isEmpty && arena.count == 0 {
            swap(&self, &other)
            return
        }
        settled = min(settled, other.settled)
        let base = UInt32(arena.count)
        arena.raw(other.arena.span)
        for var command in other.commands {
            command.body.offset += base
            command.details.offset += base
            command.worker.offset += base
            commands.append(command)
        }
        slotChanges.append(contentsOf: other.slotChanges)
        other.removeAll()
    }

    package mutating func removeAll() {
        commands.removeAll(keepingCapacity: true)
        slotChanges.removeAll(keepingCapacity: true)
        settled = .max
        arena.removeAll()
        arena.shrink(to: 4 << 20)
    }
}

/// What a batch came to: outcomes for the sessions, and effects for the dispatcher. Reused.
package struct BatchResult: Sendable {
    /// The outcomes of one session.
    package struct SessionOutcomes: Sendable {
        package var sessionSlot: UInt32
        package var session: SessionID
        /// The last number applied.
        package var sequence: UInt64
        /// In `bytes`: what follows the commit's number in an APPLIED body.
        package var runs: ByteRange
        /// True where one of the commands' bodies could not be read: the connection is to be closed.
        package var malformed: Bool
    }

    /// The commit's number.
    package var commit: UInt64 = 0
    package var commandCount = 0
    package var outcomes: [SessionOutcomes] = []
    package var bytes = WireWriter(capacity: 4096)
    /// Jobs that became ready, or returned to their place.
    package var ready: [ReadyEntry] = []
    /// Jobs that are not ready any more, though nobody completed them.
    package var withdrawn: [ReadyEntry] = []
    /// Lease slots whose lease has ended durably.
    package var freedSlots: [UInt32] = []
    /// Lease slots whose lease might have ended with a command, and goes on.
    package var keptSlots: [UInt32] = []
    /// Sessions that are open now, or gone.
    package var openedSessions: [UInt32] = []
    package var endedSessions: [UInt32] = []
    /// Jobs and flows that have finished, or are gone: whoever waits for them is answered.
    package var finishedJobs: [JobID] = []
    package var finishedFlows: [FlowID] = []
    /// Elapsed time at which the next delayed job is due; `.max` where there is none.
    package var nextDue: UInt64 = .max
    /// Wall time at which the next job is ready that waits for one; `.max` where there is none.
    package var nextTimed: UInt64 = .max
    /// Elapsed time at which the next job fails if nobody starts it; `.max` where there is none.
    package var nextStartLimit: UInt64 = .max
    /// Elapsed time at which the next deduplication id is free that is held for a time; `.max` where there is none.
    package var nextDeduplicationEnd: UInt64 = .max
    /// When schedulers are due next.
    package var nextRuns = NextRuns()
    /// One of the commands was about a scheduler that was due; and one of those stays due until there is room.
    package var hasRunSchedulers = false
    package var hasRunsWaitingForRoom = false
    /// Schedulers whose template could not be read: they have no next run until they are set again.
    package var stoppedSchedulers: [(id: String, error: WireError)] = []
    /// The look for sessions to forget has not come to the last one.
    package var hasMoreSessions = false
    /// Large effects are left to be carried on with.
    package var isSettling = false
    /// A large effect has come to its end.
    package var hasSettled = false
    /// One of the commands was to carry on.
    package var hasCarriedOn = false
    /// One of the commands was to remove what need not be kept.
    package var hasRetained = false
    /// It was looked for that, with or without a command; and so many jobs were removed.
    package var hasLookedForRetention = false
    package var jobsRetentionTook = 0
    /// It has not come to its end; and then, elapsed time at which the next of the jobs kept may go.
    package var hasMoreToRetain = false
    package var nextRetention: UInt64 = .max
    /// Queues that were named for the first time.
    package var newQueues: [QueueID] = []
    /// What is set of queues now.
    package var changedQueues: [(queue: QueueID, settings: QueueSettings)] = []
    /// What has happened, of what somebody listens to; and what that is since this batch.
    package var events = EventBatch()
    package var heard: [EventScope] = []
    /// How many of the finished flows stand among the events.
    var toldFlows = 0
    /// How many jobs of groups may run at a time now; 0: any number. By group 0, of those that have no bound of their own.
    package var changedGroups: [(queue: QueueID, group: GroupID, concurrency: UInt32)] = []
    /// Queues that are to grant nothing for so many milliseconds.
    package var limitedQueues: [(queue: QueueID, milliseconds: UInt64)] = []

    package init() {}

    package mutating func removeAll() {
        commit = 0
        commandCount = 0
        outcomes.removeAll(keepingCapacity: true)
        bytes.removeAll()
        ready.removeAll(keepingCapacity: true)
        withdrawn.removeAll(keepingCapacity: true)
        freedSlots.removeAll(keepingCapacity: true)
        keptSlots.removeAll(keepingCapacity: true)
        openedSessions.removeAll(keepingCapacity: true)
        endedSessions.removeAll(keepingCapacity: true)
        finishedJobs.removeAll(keepingCapacity: true)
        finishedFlows.removeAll(keepingCapacity: true)
        nextDue = .max
        nextTimed = .max
        nextStartLimit = .max
        nextDeduplicationEnd = .max
        nextRuns = NextRuns()
        hasRunSchedulers = false
        hasRunsWaitingForRoom = false
        stoppedSchedulers.removeAll()
        hasMoreSessions = false
        isSettling = false
        hasSettled = false
        hasCarriedOn = false
        hasRetained = false
        hasLookedForRetention = false
        jobsRetentionTook = 0
        hasMoreToRetain = false
        nextRetention = .max
        newQueues.removeAll(keepingCapacity: true)
        changedQueues.removeAll(keepingCapacity: true)
        events.removeAll()
        toldFlows = 0
        heard.removeAll(keepingCapacity: true)
        changedGroups.removeAll(keepingCapacity: true)
        limitedQueues.removeAll(keepingCapacity: true)
    }
}
