public import Logging
public import Penstock
import PenstockServer
import Synchronization
import UV

/// A real server inside the test's process: on a temporary directory, a free port, and a clock that the test moves.
///
///     try await withTestServer { server in
///         try await PenstockClient.withClient(server.address) { client in
///             let flow = try await FlowProducer(client).add(FlowJob("hello", queue: "greetings"))
///             server.advance(by: .seconds(3600))      // delays and backoffs of an hour are over
///         }
///     }
///
/// It starts in milliseconds. It keeps its jobs over ``restart()`` and ``crash()``
/// and forgets them when it ends. Any number of them run side by side.
public final class TestServer: Sendable {
    /// What is started again after a restart.
    private struct Run {
        var thread: OSThread
        var control: ServerControl
        var port: Int
    }

    private let configuration: ServerConfiguration
    private let logger: Logger
    private let clock = ServerClock()
    private let directory: TemporaryDirectory
    private let run: Monitor<Run?>

    /// Starts a server.
    ///
    /// - Parameters:
    ///   - isDurable: false, the default, leaves out the flushes to the disk; nothing else differs.
    ///   - logger: nothing is logged by default.
    /// - Throws: ``TestServerError`` where the machine refuses a directory, a thread or a port.
    public init(
        isDurable: Bool = false,
        logger: Logger = Logger(label: "penstock-test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws(TestServerError) {
        self.logger = logger
        directory = try TemporaryDirectory()
        var configuration = ServerConfiguration(dataDirectory: directory.path + "/data")
        configuration.port = 0
        configuration.isDurable = isDurable
        configuration.mapBytes = 8 << 30
        self.configuration = configuration
        run = Monitor(nil)
        try start()
    }

    deinit {
        end { $0.abandon() }
    }

    /// Where clients find it. After a restart the port is the same.
    public var address: ServerAddress { .tcp(host: "127.0.0.1", port: port) }

    /// The TCP port that it listens on.
    public var port: Int { run.withLock { $0?.port ?? 0 } }

    /// Moves the server's time forward: what was delayed until then is due.
    ///
    /// Leases and heartbeats do not notice; see ``advanceLeases(by:)``.
    public func advance(by duration: Duration) {
        clock.advance(milliseconds: duration.wholeMilliseconds)
        run.withLock { $0?.control.lookAtClock() }
    }

    /// Sets the server's wall clock forward, or back where the duration is negative, as somebody does who corrects it.
    ///
    /// Schedulers by cron notice; delays and intervals do not.
    public func setWallClock(forward duration: Duration) {
        clock.setWall(forward: duration.milliseconds)
        run.withLock { $0?.control.lookAtClock() }
    }

    /// The server's wall time: milliseconds since 1970.
    public var wallMilliseconds: UInt64 { clock.wall }

    /// Moves the time of leases, timeouts, heartbeats and rate limits forward: a lease that nobody renews runs out.
    public func advanceLeases(by duration: Duration) {
        clock.advanceMonotonic(milliseconds: duration.wholeMilliseconds)
        run.withLock { $0?.control.lookAtClock() }
    }

    /// Stops the server cleanly. Clients try to reach it until it is started again.
    public func stop() { end { $0.stop() } }

    /// Ends the server as a crash would: what is not durable is lost, nobody is told.
    public func crash() { end { $0.abandon() } }

    /// Starts it again on the same directory and port, after ``stop()`` or ``crash()``.
    public func start() throws(TestServerError) {
        var configuration = configuration
        let known = lastPort.withLock { $0 }
        configuration.port = known
        let box: ServerBox
        do throws(ServerError) {
            box = ServerBox(try Server(configuration, clock: clock, logger: logger))
        } catch {
            throw TestServerError(description: "the server can't start: \(error)")
        }
        let control = box.server.control!  // because a server that was made has one
        let port = box.server.port ?? 0
        lastPort.withLock { $0 = port }
        do throws(UVError) {
            let thread = try OSThread { box.server.run() }
            run.withLock { $0 = Run(thread: thread, control: control, port: port) }
        } catch {
            throw TestServerError(description: "no thread for the server: \(error)")
        }
    }

    /// Stops and starts it, cleanly.
    public func restart() throws(TestServerError) {
        stop()
        try start()
    }

    private let lastPort = Monitor(0)

    private func end(_ how: (ServerControl) -> Void) {
        guard
            let run = run.withLock({ state -> Run? in
                defer { state = nil }
                return state
            })
        else { return }
        how(run.control)
        run.thread.join()
    }
}

/// Calls `body` with a server that ends when it returns.
public func withTestServer<Result>(
    isDurable: Bool = false,
    _ body: (TestServer) async throws -> Result
) async throws -> Result {
    let server = try TestServer(isDurable: isDurable)
    defer { server.stop() }
    return try await body(server)
}

/// Why a test server could not be had.
public struct TestServerError: Error, CustomStringConvertible, Sendable {
    public let description: String
}

/// Carries a server to its thread, which alone uses it from then on.
private final class ServerBox: @unchecked Sendable {  // because it is handed over once, before the thread starts
    let server: Server
    init(_ server: Server) { self.server = server }
}

extension Duration {
    /// Milliseconds, at least 0.
    var wholeMilliseconds: UInt64 { UInt64(max(0, milliseconds)) }

    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
