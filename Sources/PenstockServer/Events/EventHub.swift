import PenstockEngine
import PenstockWire

/// Somebody who is told what happens, on a stream of a connection.
final class EventListener {
    let connection: UInt32
    let stream: UInt32
    let scope: EventScope
    let kinds: EventKinds
    /// Bytes that may still be sent; the last event may take it below zero.
    var creditBytes: Int
    fileprivate var position: EventRing.Position?
    /// It stands among those that may have something to be told.
    fileprivate var isDue = false

    init(connection: UInt32, stream: UInt32, scope: EventScope, kinds: EventKinds, creditBytes: Int) {
        self.connection = connection
        self.stream = stream
        self.scope = scope
        self.kinds = kinds
        self.creditBytes = creditBytes
    }
}

/// The events that are kept, and who is told of them.
///
/// A ring is there from the first listener of its scope until some time after the
/// last one has left. A listener who can't keep up costs nothing but its place:
/// the ring goes on, and it is told that it has missed some.
struct EventHub {
    struct Bounds {
        var ringBytes = Limits.eventBytesMax
        var bytes = Limits.eventBytesOfServerMax
        var scopes = Limits.eventScopesMax
        var keptMilliseconds = Limits.eventKeptMilliseconds
    }

    private struct Entry {
        var ring: EventRing
        var listeners: [EventListener] = []
        /// Elapsed time at which the last listener left; nil while there is one.
        var leftAt: UInt64?
    }

    /// A lease that was granted after a commit that the loop has not been told of: it is told behind that one's events.
    private struct Deferred {
        var commit: UInt64
        var queue: QueueID
        var flow: FlowID
        var event: [UInt8]
    }

    let bounds: Bounds
    private var entries: [EventScope: Entry] = [:]
    private var deferred: [Deferred] = []
    private var due: [EventListener] = []
    private(set) var byteCount = 0
    /// The number of the last event.
    private(set) var sequence: UInt64
    /// Elapsed time at which a ring is to go; `.max` where every ring has a listener.
    private(set) var nextExpiry = UInt64.max

    /// Bytes of a frame of events, beyond which no further one is put into it.
    static let frameBytes = 64 << 10

    /// - Parameter epoch: the number of this start of the server: what came before it is not known any more.
    init(epoch: UInt64, bounds: Bounds = Bounds()) {
        sequence = epoch << 40
        self.bounds = bounds
    }

    /// False: nobody has listened to anything for a while, and no event has to be made.
    var isOn: Bool { !entries.isEmpty }
    /// How many more scopes can be kept.
    var vacancies: Int { bounds.scopes - entries.count }
    var hasDue: Bool { !due.isEmpty }

    func keeps(_ scope: EventScope) -> Bool { entries[scope] != nil }

    func hears(_ queue: QueueID, _ flow: FlowID) -> Bool {
        keeps(.all) || keeps(.queue(queue)) || flow != .none && keeps(.flow(flow))
    }

    // MARK: Scopes

    /// The engine tells from now on what happens there.
    mutating func open(_ scope: EventScope, elapsed: UInt64) {
        guard entries[scope] == nil else { return }
        // A number of its own: whoever knew the last event may have missed what nobody gathered.
        sequence += 1
        entries[scope] = Entry(ring: EventRing(after: sequence, bytesMax: bounds.ringBytes), leftAt: elapsed)
        nextExpiry = min(nextExpiry, elapsed + bounds.keptMilliseconds)
    }

    /// Lets the rings go whose last listener has left long ago.
    ///
    /// - Complexity: O(rings), only when one is due.
    mutating func takeExpired(elapsed: UInt64) -> [EventScope] {
        guard nextExpiry <= elapsed else { return [] }
        var expired: [EventScope] = []
        nextExpiry = .max
        for (scope, entry) in entries {
            guard let leftAt = entry.leftAt else { continue }
            if leftAt + bounds.keptMilliseconds <= elapsed {
                expired.append(scope)
            } else {
                nextExpiry = min(nextExpiry, leftAt + bounds.keptMilliseconds)
            }
        }
        for scope in expired { close(scope) }
        return expired
    }

    /// Lets the ring go whose last listener left first; nil where every ring has a listener.
    mutating func takeIdlest() -> EventScope? {
        let idle = entries.filter { $0.value.leftAt != nil }
        guard let scope = idle.min(by: { $0.value.leftAt ?? 0 < $1.value.leftAt ?? 0 })?.key else { return nil }
        close(scope)
        return scope
    }

    private mutating func close(_ scope: EventScope) {
        guard let entry = entries.removeValue(forKey: scope) else { return }
        byteCount -= entry.ring.byteCount
        if entries.isEmpty { deferred.removeAll() }
    }

    // MARK: Events

    /// Takes in the events of a commit; then those of leases that were granted behind it.
    mutating func append(_ events: EventBatch, commit: UInt64) {
        guard isOn else { return }
        for entry in events.entries {
            append(events.bytes.span.extracting(entry.range), entry.queue, entry.flow)
        }
        if events.hasOverflowed { loseAll() }
        while let first = deferred.first, first.commit <= commit {
            deferred.removeFirst()
            append(first.event.rawSpan, first.queue, first.flow)
        }
    }

    /// Takes in that a lease was granted.
    ///
    /// - Parameters:
    ///   - commit: the snapshot that the job was read from.
    ///   - settled: the last commit whose events have been taken in.
    mutating func append(active event: RawSpan, _ queue: QueueID, _ flow: FlowID, commit: UInt64, settled: UInt64) {
        if commit > settled {
            let event = [UInt8](copying: event)
            deferred.append(Deferred(commit: commit, queue: queue, flow: flow, event: event))
        } else {
            append(event, queue, flow)
        }
    }

    private mutating func append(_ event: RawSpan, _ queue: QueueID, _ flow: FlowID) {
        sequence += 1
        put(event, .all)
        put(event, .queue(queue))
        if flow != .none { put(event, .flow(flow)) }
        while byteCount > bounds.bytes, dropOfLargest() {}
    }

    private mutating func put(_ event: RawSpan, _ scope: EventScope) {
        guard let index = entries.index(forKey: scope) else { return }
        let before = entries.values[index].ring.byteCount
        entries.values[index].ring.append(event, sequence: sequence)
        byteCount += entries.values[index].ring.byteCount - before
        for listener in entries.values[index].listeners { wake(listener) }
    }

    /// Lets the oldest events of the ring go that has most of them.
    ///
    /// - Complexity: O(rings), for each chunk of events that is too many.
    private mutating func dropOfLargest() -> Bool {
        let scope = entries.max { $0.value.ring.byteCount < $1.value.ring.byteCount }?.key
        guard let scope, let index = entries.index(forKey: scope) else { return false }
        let before = entries.values[index].ring.byteCount
        entries.values[index].ring.dropFirst()
        byteCount += entries.values[index].ring.byteCount - before
        return entries.values[index].ring.byteCount < before
    }

    /// There were more events than can be kept of anything.
    private mutating func loseAll() {
        sequence += 1
        for scope in Array(entries.keys) {
            entries[scope]?.ring.dropAll(upTo: sequence)
            for listener in entries[scope]?.listeners ?? [] { wake(listener) }
        }
        byteCount = 0
    }

    // MARK: Listeners

    /// Begins to tell a listener; its scope is open.
    ///
    /// - Parameter since: the last event that it knows of; 0: it wants to know of what comes.
    /// - Returns: the event behind which it is told everything.
    mutating func add(_ listener: EventListener, since: UInt64) -> UInt64 {
        guard let index = entries.index(forKey: listener.scope) else { preconditionFailure("the scope is not open") }
        entries.values[index].listeners.append(listener)
        entries.values[index].leftAt = nil
        let ring = entries.values[index].ring
        wake(listener)
        if since == 0 {
            listener.position = ring.end
            return sequence
        }
        // What the server has never told is of another one, or of a time that it does not know any more.
        if since <= sequence, let position = ring.position(after: since) {
            listener.position = position
            return since
        }
        listener.position = ring.start
        return ring.lost
    }

    mutating func remove(_ listener: EventListener, elapsed: UInt64) {
        listener.position = nil
        guard let index = entries.index(forKey: listener.scope) else { return }
        entries.values[index].listeners.removeAll { $0 === listener }
        guard entries.values[index].listeners.isEmpty else { return }
        entries.values[index].leftAt = elapsed
        nextExpiry = min(nextExpiry, elapsed + bounds.keptMilliseconds)
    }

    /// The listener is looked at in the next turn.
    mutating func wake(_ listener: EventListener) {
        guard !listener.isDue else { return }
        listener.isDue = true
        due.append(listener)
    }

    /// The listeners that may have something to be told.
    mutating func takeDue() -> [EventListener] {
        let listeners = due
        due.removeAll(keepingCapacity: true)
        for listener in listeners { listener.isDue = false }
        return listeners
    }

    /// Appends the next frame for a listener.
    ///
    /// - Returns: false where there is nothing to be told, or its credit is used up.
    mutating func write(to listener: EventListener, into writer: inout WireWriter) -> Bool {
        guard var position = listener.position, let ring = entries[listener.scope]?.ring else { return false }
        let lost = ring.catchUp(&position)
        listener.position = position
        guard lost > 0 || listener.creditBytes > 0 && !ring.isAtEnd(position) else { return false }
        let start = writer.beginFrame(FrameHeader(.events, stream: listener.stream))
        writer.u64(lost)
        writer.u16(0)
        let bodyStart = writer.count
        var count = 0
        if listener.creditBytes > 0 {
            let limit = min(listener.creditBytes, EventHub.frameBytes)
            count = ring.read(listener.kinds, from: &position, bytes: limit, into: &writer)
            listener.position = position
        }
        guard lost > 0 || count > 0 else {
            writer.truncate(to: start)
            return false
        }
        listener.creditBytes -= writer.count - bodyStart
        writer.patch(UInt16(count), at: bodyStart - 2)
        writer.endFrame(start)
        return true
    }
}
