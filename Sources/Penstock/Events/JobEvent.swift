import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Something that has happened to a job, a queue or a flow.
///
/// Every event but ``Change/active(attempt:worker:)`` is told when it is stored for good.
public struct JobEvent: Hashable, Sendable {
    /// Rises from event to event, also over restarts of the server, and leaves numbers out: others got those.
    ///
    /// To go on later where this event was, give it to `events(after:)`.
    public let sequence: UInt64
    /// The server's wall time.
    public let time: Date
    /// Nil where a flow has finished, and in a gap.
    public let queue: String?
    /// Nil where it is about a queue or a flow, and in a gap.
    public let job: JobID?
    /// Of the job, or of the flow that has finished; else empty.
    public let name: String
    /// The job's flow, or the one that has finished; nil where there is none.
    public let flow: FlowID?
    public let change: Change

    /// What has happened.
    public enum Change: Hashable, Sendable {
        /// The job is stored.
        case added
        /// It is ready for a worker.
        case waiting
        /// A worker has been given it. Told without waiting for the disk.
        ///
        /// - attempt: counts its leases, this one included.
        /// - worker: the worker's name.
        case active(attempt: Int, worker: String)
        /// Its handler tells how far it is.
        case progress(RawPayload)
        /// It becomes ready after so long.
        case delayed(Duration)
        /// It waits for jobs that it depends on.
        case waitingChildren
        case completed
        /// It failed for good. The message may be cut.
        case failed(FailureCause, message: String)
        /// Its lease ran out: it is waiting again, or failed, which is told next.
        ///
        /// - attempt: counts its leases, this one included.
        case stalled(attempt: Int)
        /// It runs again: after an attempt that failed, or, without a cause, because somebody retried it or what it
        /// depends on.
        case retried(FailureCause?, message: String)
        /// It is gone: removed by somebody, or by retention.
        case removed
        /// It was cancelled, or skipped.
        case cancelled(reason: String)
        /// No job of the queue is waiting or active any more; some may be delayed, or wait for others.
        case drained
        /// The queue gives out no jobs.
        case paused
        /// It does again.
        case resumed
        /// An add was answered with this job, which has its deduplication id.
        case deduplicated(id: String)
        /// No job of the flow is unfinished.
        case flowFinished(FlowStatus)
        /// Events up to this one's ``JobEvent/sequence`` may be missing: the server was started anew, nobody listened
        /// for too long, or the events came faster than they were taken. Whoever keeps a picture of its own reads it
        /// anew; what follows is complete.
        case gap
    }

    /// Kinds of events, to choose some. A gap is always told.
    public struct Kinds: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        private init(_ kind: EventKind) { rawValue = EventKinds(kind).rawValue }

        public static let added = Kinds(.added)
        public static let waiting = Kinds(.waiting)
        public static let active = Kinds(.active)
        public static let progress = Kinds(.progress)
        public static let delayed = Kinds(.delayed)
        public static let waitingChildren = Kinds(.waitingChildren)
        public static let completed = Kinds(.completed)
        public static let failed = Kinds(.failed)
        public static let stalled = Kinds(.stalled)
        public static let retried = Kinds(.retried)
        public static let removed = Kinds(.removed)
        public static let cancelled = Kinds(.cancelled)
        public static let drained = Kinds(.drained)
        public static let paused = Kinds(.paused)
        public static let resumed = Kinds(.resumed)
        public static let deduplicated = Kinds(.deduplicated)
        public static let flowFinished = Kinds(.flowFinished)

        /// Completed, failed and cancelled.
        public static let finished: Kinds = [.completed, .failed, .cancelled]
        public static let all = Kinds(rawValue: EventKinds.all.rawValue)
    }
}

extension JobEvent {
    init(_ event: Event) {
        let head = event.head
        sequence = head.sequence
        time = Date(milliseconds: head.time)
        queue = event.queue.isEmpty ? nil : event.queue
        job = JobID(optional: head.job)
        name = event.name
        flow = FlowID(optional: head.flow)
        change = Change(event)
    }

    /// Events up to a number are missing.
    init(gapTo sequence: UInt64, time: Date) {
        self.sequence = sequence
        self.time = time
        queue = nil
        job = nil
        name = ""
        flow = nil
        change = .gap
    }
}

extension JobEvent.Change {
    init(_ event: Event) {
        let head = event.head
        let attempt = Int(head.attempt)
        var text: String { String(decoding: event.data, as: UTF8.self) }
        let cause = PenstockWire.FailureCause(rawValue: head.detail).flatMap { FailureCause($0) }
        self =
            switch head.kind {
            case .added: .added
            case .waiting: .waiting
            case .active: .active(attempt: attempt, worker: text)
            case .progress: .progress(RawPayload(bytes: event.data, kind: .init(rawValue: head.contentType.rawValue)))
            case .delayed: .delayed(.milliseconds(Int64(clamping: head.delay)))
            case .waitingChildren: .waitingChildren
            case .completed: .completed
            case .failed: .failed(cause ?? .error, message: text)
            case .stalled: .stalled(attempt: attempt)
            case .retried: .retried(cause, message: text)
            case .removed: .removed
            case .cancelled: .cancelled(reason: text)
            case .drained: .drained
            case .paused: .paused
            case .resumed: .resumed
            case .deduplicated: .deduplicated(id: text)
            case .flowFinished:
                .flowFinished(PenstockWire.FlowStatus(rawValue: head.detail).map { FlowStatus($0) } ?? .completed)
            }
    }
}
