public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// A client of one Penstock server.
///
/// It keeps two connections, each with a session of its own: one for workers,
/// opened when the first of them runs, and one for all else. A connection that
/// is lost is made again, and its session is resumed: a request that was under
/// way gets the outcome it had, or is sent again under its old number, so it is
/// never carried out twice. Where that can't be known, the request fails with
/// ``PenstockError/Code/outcomeUnknown``.
///
/// The client is a service: it works while ``run()`` does. Requests made before
/// wait for it, as long as their time lasts. Workers end with it.
///
/// ```swift
/// let client = PenstockClient(.tcp(host: "127.0.0.1", port: 7411), logger: logger)
/// try await ServiceGroup(services: [client, worker], logger: logger).run()
/// ```
///
/// Or, for the time of a closure:
///
/// ```swift
/// try await PenstockClient.withClient(.unix(path: "/run/penstock.sock")) { client in
///     try await Queue("mail", client).add("welcome", data: user)
/// }
/// ```
public final class PenstockClient: Service {
    /// For everything but workers.
    let link: Link
    /// For workers.
    let workerLink: Link
    let logger: Logger
    let configuration: Configuration
    private let isRunning = Atomic<Bool>(false)
    private let stop = OneShot()
    private let nextWorker = Atomic<Int>(1)
    private let nextLargeAdd = Atomic<UInt32>(1)

    /// - Parameter logger: gets what happens to the connections; by default nothing is logged.
    public init(
        _ address: ServerAddress,
        configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "penstock", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.configuration = configuration
        self.logger = logger
        var logger = logger
        logger[metadataKey: "server"] = "\(address)"
        logger[metadataKey: "connection"] = "general"
        link = Link(address, configuration: configuration, logger: logger, isLazy: false)
        logger[metadataKey: "connection"] = "workers"
        workerLink = Link(address, configuration: configuration, logger: logger, isLazy: true)
    }

    /// Keeps the connections until the service group, or ``shutDown()``, asks for the end.
    ///
    /// Then it takes no more requests, waits until those under way have their
    /// outcome, at most `shutdownTimeout` of the configuration, and says goodbye.
    /// If the task is cancelled it ends at once.
    ///
    /// - Throws: ``PenstockError/Code/alreadyRunning`` at a second call.
    public func run() async throws {
        guard !isRunning.exchange(true, ordering: .relaxed) else {
            throw PenstockError(.alreadyRunning, "run() was called twice; a client runs once.")
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.link.run() }
            group.addTask { await self.workerLink.run() }
            await withTaskCancellationOrGracefulShutdownHandler {
                await stop.wait()
            } onCancelOrGracefulShutdown: {
                self.stop.fire()
            }
            if !Task.isCancelled {
                async let workers: Void = workerLink.leave(within: configuration.shutdownTimeout)
                await link.leave(within: configuration.shutdownTimeout)
                await workers
            }
            link.abort()
            workerLink.abort()
            group.cancelAll()
        }
    }

    /// Asks ``run()`` to end, for a client that is in no service group.
    public func shutDown() { stop.fire() }

    /// Runs a client for the time of `body`, and shuts it down in good order after it.
    @discardableResult
    public static func withClient<Result: Sendable>(
        _ address: ServerAddress,
        configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "penstock", factory: { _ in SwiftLogNoOpLogHandler() }),
        _ body: (PenstockClient) async throws -> Result
    ) async throws -> Result {
        let client = PenstockClient(address, configuration: configuration, logger: logger)
        async let running: Void = client.run()
        do {
            let result = try await body(client)
            client.shutDown()
            try await running
            return result
        } catch {
            client.shutDown()
            try? await running
            throw error
        }
    }

    /// A number that no other large add under way has.
    func newLargeAdd() -> UInt32 {
        while true {
            let number = nextLargeAdd.wrappingAdd(1, ordering: .relaxed).oldValue
            if number != 0 { return number }
        }
    }

    func newWorkerID() -> WorkerID {
        WorkerID(rawValue: nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue)
    }
}
