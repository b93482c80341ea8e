import Logging
import NIOCore
import NIOPosix
import PenstockWire
import Synchronization

/// A session with the server and the connection that it stands on, made again whenever it is lost.
final class Link: Sendable {
    private let address: ServerAddress
    private let configuration: PenstockClient.Configuration
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let outbox = Outbox()
    private let core: NIOLoopBoundBox<SessionCore>
    /// The session has said goodbye, or has nothing to say it to.
    private let ended = OneShot()
    private let nextRequest = Atomic<UInt32>(1)
    /// The first request has been made: a connection is wanted.
    private let wanted = OneShot()
    private let isRunning = Atomic<Bool>(false)
    /// Somebody looks at the time. Also before the link runs, as requests have deadlines.
    private let isTicking = Atomic<Bool>(false)

    init(_ address: ServerAddress, configuration: PenstockClient.Configuration, logger: Logger, isLazy: Bool) {
        self.address = address
        self.configuration = configuration
        self.logger = logger
        eventLoop = configuration.eventLoopGroup.next()
        core = NIOLoopBoundBox.makeBoxSendingValue(
            SessionCore(
                client: configuration.name,
                eventLoop: eventLoop,
                outbox: outbox,
                ended: ended,
                logger: logger
            ),
            eventLoop: eventLoop
        )
        if !isLazy { wanted.fire() }
    }

    // MARK: Requests

    /// A frame that changes nothing, answered by one frame; sent again if its connection is lost first.
    func read(
        timeout: Duration? = nil,
        isWait: Bool = false,
        survives: Bool = true,
        _ frame: (UInt32) -> ByteBuffer
    ) async -> Result<[UInt8], PenstockError> {
        let request = newRequest()
        let frame = frame(request)
        let deadline = deadline(timeout)
        return await submit(request) {
            .read(frame, request: request, $0, deadline: deadline, isWait: isWait, survives: survives)
        }
    }

    /// The outcome of a durable command. Its sequence number is given when it is sent.
    func command(_ frame: ByteBuffer, timeout: Duration) async -> Result<[UInt8], PenstockError> {
        let request = newRequest()
        let deadline = deadline(timeout)
        return await submit(request) { .command(frame, request: request, $0, deadline: deadline) }
    }

    /// A durable command whose outcome nobody waits for.
    func post(_ frame: ByteBuffer) {
        put(.command(frame, request: newRequest(), nil, deadline: .distantFuture))
    }

    private func submit(
        _ request: UInt32,
        _ command: (Waiter) -> SessionCommand
    ) async -> Result<[UInt8], PenstockError> {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                put(command(waiter))
                // A task that was cancelled before has put its cancellation in front of the request.
                if Task.isCancelled { put(.cancel(request: request)) }
            }
        } onCancel: {
            put(.cancel(request: request))
        }
    }

    private func newRequest() -> UInt32 {
        while true {
            // The top bit is for the session's own requests.
            let request = nextRequest.wrappingAdd(1, ordering: .relaxed).oldValue & 0x7FFF_FFFF
            if request != 0 { return request }
        }
    }

    private func deadline(_ timeout: Duration?) -> NIODeadline {
        .now() + TimeAmount(timeout ?? configuration.requestTimeout)
    }

    private func put(_ command: SessionCommand) {
        if outbox.put(command) { wake() }
        if !wanted.hasFired { wanted.fire() }
        startTicking()
    }

    func wake() {
        eventLoop.execute { [core] in core.value.drain() }
    }

    // MARK: Workers

    func begin(_ worker: WorkerID, _ subscription: Subscription, _ holder: any LeaseHolder) {
        put(.begin(worker, subscription, holder))
    }

    /// Returns when no further job is delivered to the worker.
    func end(_ worker: WorkerID) async {
        let request = newRequest()
        _ = await withCheckedContinuation { waiter in put(.end(worker, request: request, waiter)) }
    }

    func forget(_ worker: WorkerID) {
        eventLoop.execute { [core] in core.value.forget(worker) }
    }

    func credit(_ worker: WorkerID, generation: Int, count: Int) {
        if count > 0 { put(.credit(worker, generation: generation, count: count)) }
    }

    /// So many jobs the worker wants at the same time from now on.
    func resize(_ worker: WorkerID, concurrency: Int) { put(.resize(worker, concurrency: concurrency)) }

    /// Puts the end of a job on its way.
    /// - Returns: true where ``wake()`` has to be called, outside of any lock.
    func enqueue(_ completion: Completion) -> Bool { outbox.put(completion) }

    func enqueue(_ failure: Failure) -> Bool { outbox.put(failure) }

    /// Tells that a reserved job has started. Returns as above.
    func enqueue(_ started: Started.Lease) -> Bool { outbox.put(started) }

    /// Returns when what was put on its way before is stored, or has been refused.
    ///
    /// Where the task is cancelled, no other connection is waited for.
    ///
    /// - Returns: why nobody can say so; nil where it is.
    func awaitCompletions(within bound: Duration) async -> PenstockError? {
        let request = newRequest()
        let deadline = deadline(bound)
        switch await submit(request, { .barrier(request: request, $0, deadline: deadline) }) {
        case .success: return nil
        case .failure(let error): return error
        }
    }

    /// Gives leases back, without waiting for the answer.
    func release(_ tokens: [LeaseToken]) {
        if !tokens.isEmpty { put(.release(tokens)) }
    }

    // MARK: Events

    func listen(_ feed: EventFeed) { put(.listen(feed)) }

    func unlisten(_ feed: EventFeed) { put(.unlisten(feed.id)) }

    func credit(_ feed: EventFeed, generation: Int, bytes: Int) {
        put(.creditEvents(feed.id, generation: generation, bytes: bytes))
    }

    // MARK: Life

    /// Calls `body` after a while, on the event loop.
    @discardableResult
    func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: TimeAmount(delay), body)
    }

    /// Keeps a connection until the session has ended, or the task is cancelled.
    func run() async {
        await withTaskCancellationHandler {
            await wanted.wait()
        } onCancel: {
            wanted.fire()
        }
        // On the event loop, so that no tick under way stops ticking after it.
        eventLoop.execute {
            self.isRunning.store(true, ordering: .relaxed)
            self.startTicking()
        }
        var backoff = GrowingWait.reconnect
        while !Task.isCancelled && !ended.hasFired {
            do {
                try await connectOnce()
            } catch {
                logger.warning("Can't connect", metadata: ["error": "\(error)"])
            }
            if Task.isCancelled || ended.hasFired { break }
            if await hasStood() { backoff.reset() }
            try? await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
        }
    }

    private func hasStood() async -> Bool {
        (try? await eventLoop.submit { [core] in core.value.takeHasStood() }.get()) ?? false
    }

    /// Connects, and returns when the connection is gone.
    private func connectOnce() async throws {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: address.isTCP ? 1 : 0)
            .connectTimeout(.seconds(5))
            .channelInitializer { [core] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameHandler(core: core.value))
                }
            }
        let channel =
            switch address.kind {
            case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
            case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
            }
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private func startTicking() {
        guard !isTicking.load(ordering: .relaxed), !isTicking.exchange(true, ordering: .relaxed) else { return }
        eventLoop.execute { self.tick() }
    }

    private func tick() {
        guard !ended.hasFired else { return }
        // Before the outbox is looked at: whoever puts something into it after that begins to tick again.
        let isRunning = isRunning.load(ordering: .relaxed)
        if !isRunning { isTicking.store(false, ordering: .relaxed) }
        core.value.tick()
        if !isRunning, core.value.isIdle || isTicking.exchange(true, ordering: .relaxed) { return }
        let quarter = TimeAmount.nanoseconds(core.value.heartbeatInterval.nanoseconds / 4)
        let interval = max(TimeAmount.milliseconds(50), min(TimeAmount.milliseconds(500), quarter))
        eventLoop.scheduleTask(in: interval) { self.tick() }
    }

    /// Takes no more adds, waits in a bound until everything has its outcome, and ends the session.
    func leave(within bound: Duration) async {
        eventLoop.execute { [core] in core.value.leave() }
        let timer = eventLoop.scheduleTask(in: TimeAmount(bound)) { [ended] in ended.fire() }
        await withTaskCancellationHandler {
            await ended.wait()
        } onCancel: {
            ended.fire()
        }
        timer.cancel()
    }

    /// The end, at once.
    func abort() {
        ended.fire()
        eventLoop.execute { [core] in core.value.abort() }
    }
}

extension ServerAddress {
    fileprivate var isTCP: Bool {
        if case .tcp = kind { true } else { false }
    }
}
