import Glibc
import Penstock
import PenstockTesting
import Synchronization
import UV

/// The way between clients and a server, which a test can block, or break.
final class Passage: Sendable {
    private struct State {
        var isBlocked = false
        var isEnding = false
        /// How often every connection was cut.
        var cuts = 0
    }

    /// What the thread and the test share.
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private struct Runner: @unchecked Sendable {  // because only `end()` uses it, once
        let thread: OSThread
    }

    let port: Int
    private let shared: Shared
    private let runner: Runner

    init(to serverPort: Int) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Passage.address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &size) == 0
            }
        }
        guard status else { throw WireFailure("no passage: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        let shared = Shared()
        self.shared = shared
        runner = Runner(thread: try OSThread { Passage.run(listener, to: serverPort, shared) })
    }

    var address: ServerAddress { .tcp(host: "127.0.0.1", port: port) }

    /// Nothing passes from now on, in either direction, until ``unblock()``.
    func block() { shared.state.withLock { $0.isBlocked = true } }

    func unblock() { shared.state.withLock { $0.isBlocked = false } }

    /// Breaks every connection; new ones can be made.
    func cut() { shared.state.withLock { $0.cuts += 1 } }

    func end() {
        shared.state.withLock { $0.isEnding = true }
        runner.thread.join()
    }

    // MARK: On the thread

    private static func run(_ listener: Int32, to port: Int, _ shared: Shared) {
        var pairs: [(Int32, Int32)] = []
        var cuts = 0
        while true {
            let state = shared.state.withLock { $0 }
            if state.isEnding || state.cuts > cuts {
                for pair in pairs { close(pair) }
                pairs = []
                cuts = state.cuts
            }
            if state.isEnding { break }
            var polled = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            if !state.isBlocked {
                for pair in pairs {
                    polled.append(pollfd(fd: pair.0, events: Int16(POLLIN), revents: 0))
                    polled.append(pollfd(fd: pair.1, events: Int16(POLLIN), revents: 0))
                }
            }
            // So soon it looks whether the test has said something.
            guard unsafe poll(&polled, nfds_t(polled.count), 2) > 0 else { continue }
            let open = pairs
            for (index, entry) in polled.enumerated() where entry.revents != 0 {
                if index == 0 {
                    let client = accept(listener, nil, nil)
                    if client >= 0, let server = connect(to: port, for: client) { pairs.append((client, server)) }
                } else {
                    let pair = open[(index - 1) / 2]
                    let (from, to) = entry.fd == pair.0 ? (pair.0, pair.1) : (pair.1, pair.0)
                    guard pairs.contains(where: { $0 == pair }), !pass(from, to) else { continue }
                    close(pair)
                    pairs.removeAll { $0 == pair }
                }
            }
        }
        _ = Glibc.close(listener)
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func connect(to port: Int, for client: Int32) -> Int32? {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = address(port: port)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if status == 0 { return server }
        close((client, server))
        return nil
    }

    private static func close(_ pair: (Int32, Int32)) {
        _ = Glibc.close(pair.0)
        _ = Glibc.close(pair.1)
    }

    /// Passes on what is there; false at the end.
    private static func pass(_ from: Int32, _ to: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(from, $0.baseAddress!, $0.count, 0) }
        guard count > 0 else { return false }
        var start = 0
        while start < count {
            let sent = unsafe buffer.withUnsafeBytes { bytes in
                unsafe send(to, bytes.baseAddress! + start, count - start, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            start += sent
        }
        return true
    }
}

/// Runs a body with a client of a server and with another one that comes by a passage.
func withPassage(_ body: (Passage, PenstockClient, PenstockClient) async throws -> Void) async throws {
    try await withPenstock { server, client in
        let passage = try Passage(to: server.port)
        defer { passage.end() }
        try await PenstockClient.withClient(passage.address) { distant in try await body(passage, client, distant) }
    }
}
