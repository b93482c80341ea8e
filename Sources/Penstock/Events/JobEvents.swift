import PenstockWire

/// What happens, as it happens: see ``Queue/events(_:after:)``.
///
/// It goes on over lost connections, and tells with a ``JobEvent/Change/gap`` where
/// events may be missing. It ends when the task that reads it is cancelled, when
/// nothing refers to it any more, or with an error: because the client has been
/// shut down, or the server has refused to go on.
///
/// Whoever reads slowly gets later what happened meanwhile, as long as the server
/// keeps it: the client takes no more than 256 KiB before they are read.
///
/// Each event is given to one reader: for several readers ask for events several times.
public struct JobEvents: AsyncSequence, Sendable {
    public typealias Element = JobEvent
    public typealias Failure = PenstockError

    private let subscription: EventSubscription

    init(_ feed: EventFeed) { subscription = EventSubscription(feed) }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let subscription: EventSubscription

        /// - Throws: ``PenstockError``, at the end.
        public mutating func next() async throws(PenstockError) -> JobEvent? {
            try await subscription.feed.next()
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(PenstockError) -> JobEvent? {
            try await subscription.feed.next()
        }
    }
}

/// Ends a feed when nobody can read it any more.
private final class EventSubscription: Sendable {
    let feed: EventFeed
    init(_ feed: EventFeed) { self.feed = feed }
    deinit { feed.end() }
}

// MARK: Asking for events

extension PenstockClient {
    /// What happens to all jobs, queues and flows of the server.
    ///
    /// See ``Queue/events(_:after:)``.
    public func events(
        _ kinds: JobEvent.Kinds = .all,
        after sequence: UInt64? = nil
    ) async throws(PenstockError) -> JobEvents {
        try await events(.all, kinds, after: sequence)
    }

    func events(
        _ scope: Listen.Scope,
        _ kinds: JobEvent.Kinds,
        after sequence: UInt64?
    ) async throws(PenstockError) -> JobEvents {
        guard !kinds.isEmpty, JobEvent.Kinds.all.isSuperset(of: kinds) else {
            throw PenstockError(
                .invalidOption,
                "At least one kind of events has to be asked for, and none but the known."
            )
        }
        let feed = EventFeed(scope, EventKinds(rawValue: kinds.rawValue), after: sequence ?? 0, link)
        let events = JobEvents(feed)
        try await feed.begin(within: configuration.requestTimeout)
        return events
    }
}

extension Queue {
    /// What happens in the queue.
    ///
    /// When this returns, nothing that is stored from then on is missed:
    ///
    /// ```swift
    /// let events = try await queue.events([.completed, .failed])
    /// try await queue.add("welcome", data: user)
    /// for try await event in events {
    ///     switch event.change {
    ///     case .completed: print("\(event.name) is done")
    ///     case .failed(let cause, let message): print("\(event.name) failed: \(cause), \(message)")
    ///     case .gap: print("something was missed")
    ///     default: break
    ///     }
    /// }
    /// ```
    ///
    /// The end of a flow is no event of a queue.
    ///
    /// - Parameters:
    ///   - kinds: all by default. Those that are not asked for cost nothing on the way.
    ///   - sequence: the last event that is known already, from an earlier call or an earlier run: what has happened
    ///     since comes first, as far as the server has kept it: for ten minutes after the last one has listened.
    ///     Nil, the default: what happens from now on.
    /// - Throws: ``PenstockError``.
    public func events(
        _ kinds: JobEvent.Kinds = .all,
        after sequence: UInt64? = nil
    ) async throws(PenstockError) -> JobEvents {
        try Checks.queue(name)
        return try await client.events(.queue(name), kinds, after: sequence)
    }
}

extension FlowHandle {
    /// What happens to the jobs of the flow, in whatever queues they are, and the flow's end.
    ///
    /// See ``Queue/events(_:after:)``. The sequence goes on after ``JobEvent/Change/flowFinished(_:)``: jobs can be retried.
    ///
    /// - Throws: ``PenstockError``; its code is `flowNotFound` where there is no such flow.
    public func events(
        _ kinds: JobEvent.Kinds = .all,
        after sequence: UInt64? = nil
    ) async throws(PenstockError) -> JobEvents {
        try await client.events(.flow(try await number().wire), kinds, after: sequence)
    }
}
