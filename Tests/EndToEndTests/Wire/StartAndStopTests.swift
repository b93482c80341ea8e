import Foundation
import LMDB
import PenstockEngine
import PenstockServer
import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// How a server begins and ends, and what it refuses to begin with.
@Suite(.inTurns) struct `Start and stop` {
    private func startError(_ configuration: ServerConfiguration) -> ServerError? {
        do throws(ServerError) {
            _ = try Server(configuration, clock: ServerClock(), logger: .silent)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a directory that another server has is refused`() async throws {
        try await onThread {
            try withDirectory { path in
                let server = try OwnServer(.test(path + "/data"))
                guard case .data(.inUse) = startError(.test(path + "/data")) else {
                    Issue.record("a second server has started")
                    return
                }
                let client = try WireClient(port: server.port)
                try client.open()
                server.stop()
                #expect(startError(.test(path + "/data")) == nil)
            }
        }
    }

    @Test(.enabled(if: getuid() != 0, "root may write everywhere"))
    func `a directory that can't be written is refused`() async throws {
        try await onThread {
            try withDirectory { path in
                _ = unsafe chmod(path, 0o500)
                defer { _ = unsafe chmod(path, 0o700) }
                guard case .data(.notWritable) = startError(.test(path + "/data")) else {
                    Issue.record("a server has started without its directory")
                    return
                }
            }
        }
    }

    @Test func `a path that can't be a directory is refused`() async throws {
        try await onThread {
            try withDirectory { path in
                #expect(FileManager.default.createFile(atPath: path + "/file", contents: Data()))
                #expect(startError(.test(path + "/file/data"))?.description.contains(path) == true)
                #expect(startError(.test("/proc/penstock"))?.description.contains("/proc/penstock") == true)
            }
        }
    }

    @Test func `a database of a newer format is refused, and not touched`() async throws {
        try await onThread {
            try withDirectory { path in
                let data = path + "/data"
                try OwnServer(.test(data)).stop()
                try raiseFormat(data)
                for _ in 0..<2 {
                    let error = startError(.test(data))
                    guard case .engine(.newerFormat(found: 99, known: _)) = error else {
                        Issue.record("the server took a format that it can't know")
                        return
                    }
                    #expect(error?.exitStatus == ServerError.dataError)
                }
            }
        }
    }

    private func raiseFormat(_ directory: String) throws {
        let environment = try Environment.open(directory: directory, tables: Tables.names)
        let meta = environment.table("meta", keyedBy: UInt64.self)
        var transaction = try environment.beginWrite()
        var row: [UInt8] = []
        if let bytes = try transaction.get(0, in: meta) { row = [UInt8](copying: bytes) }
        row[4] = 99
        try transaction.put(row.rawSpan, for: 0, in: meta)
        try transaction.commit()
    }

    @Test func `an address that others can reach is refused unless it is said that it may be`() async throws {
        try await onThread {
            try withDirectory { path in
                var configuration = ServerConfiguration.test(path + "/data")
                for host in ["0.0.0.0", "::", "192.0.2.1"] {
                    configuration.host = host
                    guard case .insecureAddress = startError(configuration) else {
                        Issue.record("\(host) was taken")
                        return
                    }
                }
                configuration.host = "0.0.0.0"
                configuration.allowsInsecureAddress = true
                try OwnServer(configuration).stop()
                configuration.host = nil
                guard case .noAddress = startError(configuration) else {
                    Issue.record("a server without an address has started")
                    return
                }
            }
        }
    }

    @Test func `a port that is taken is refused by name`() async throws {
        try await onThread {
            try withDirectory { path in
                let server = try OwnServer(.test(path + "/one"))
                var configuration = ServerConfiguration.test(path + "/two")
                configuration.port = server.port
                #expect(startError(configuration)?.description.contains("127.0.0.1:\(server.port)") == true)
                server.stop()
            }
        }
    }

    @Test func `one connection more than allowed is told so, and the others go on`() async throws {
        try await onThread {
            try withDirectory { path in
                var configuration = ServerConfiguration.test(path + "/data")
                configuration.connectionsMax = 2
                let server = try OwnServer(configuration)
                let clients = try (0..<2).map { _ in try WireClient(port: server.port) }
                for client in clients { try client.open() }
                let third = try WireClient(port: server.port)
                third.send(Hello(session: .random(), mode: .open), correlation: 4)
                #expect(try third.hardError().error == .tooManyConnections)
                for client in clients { try client.roundTrip() }
                third.close()
                clients[0].close()
                try clients[1].poll { $0.connections == 1 }
                try WireClient(port: server.port).open()
                server.stop()
            }
        }
    }

    @Test func `a stop answers the commands in flight, says goodbye, and waits for no client`() async throws {
        try await onThread {
            try withDirectory { path in
                let server = try OwnServer(.test(path + "/data"))
                let client = try WireClient(port: server.port)
                try client.open()
                // A connection that never says a word, and one that never closes.
                let silent = try WireClient(port: server.port)
                let item = AddItem(isFlow: false, nodes: [AddNode(queue: 0, name: "x")])
                try client.roundTrip()
                for _ in 0..<20 { client.send(Add(sequence: client.newSequence(), queues: ["q"], items: [item])) }
                let start = ContinuousClock.now
                server.stop()
                #expect(start.duration(to: .now) < .seconds(8))
                let frames = try client.untilClosed()
                #expect(frames.contains { $0.opcode == .goodbye && !$0.isError })
                let again = try OwnServer(.test(path + "/data"))
                let second = try WireClient(port: again.port)
                let applied = try second.resume(client).welcome.lastApplied
                if applied > 0 { #expect(try second.counts("q").total == UInt32(applied)) }
                // What the first connection was told is true.
                let told = frames.filter { $0.opcode == .applied }.compactMap { try? Applied(body: $0.body.rawSpan) }
                let last = told.flatMap(\.outcomes).map { $0.sequence + UInt64($0.count) - 1 }.max() ?? 0
                #expect(last == applied)
                _ = silent
                again.stop()
            }
        }
    }

    @Test func `a stop waits no longer than its bound for a client that does not read`() async throws {
        try await onThread {
            try withDirectory { path in
                var configuration = ServerConfiguration.test(path + "/data")
                configuration.stopMilliseconds = 1500
                let server = try OwnServer(configuration)
                let client = try WireClient(port: server.port)
                try client.open()
                for _ in 0..<12 { try client.add(queue: "q", bytes: 1_000_000) }
                try client.subscribe(["q"], jobs: 100, bytes: 64 << 20)
                let start = ContinuousClock.now
                server.stop()
                #expect(start.duration(to: .now) < .seconds(6))
            }
        }
    }

    @Test func `a second request to stop ends the server at once`() async throws {
        try await onThread {
            try withDirectory { path in
                let server = try OwnServer(.test(path + "/data"))
                let client = try WireClient(port: server.port)
                try client.open()
                try client.add(queue: "q")
                server.control.stop()
                server.control.stop()
                server.join()
                let again = try OwnServer(.test(path + "/data"))
                let second = try WireClient(port: again.port)
                #expect(try second.resume(client).welcome.lastApplied == 1)
                again.stop()
            }
        }
    }

    @Test func `restarts and crashes one after the other lose nothing`() async throws {
        try await withWireServer { server in
            var client = try server.openClient()
            var ids: [JobID] = []
            for round in 0..<6 {
                ids += try client.add(queue: "q")
                if round % 2 == 0 { server.crash() } else { server.stop() }
                try server.start()
                let next = try server.wireClient()
                let welcome = try next.resume(client).welcome
                #expect(welcome.lastApplied == UInt64(round + 1))
                #expect(welcome.epoch == UInt64(round + 2))
                client = next
            }
            #expect(ids == ids.sorted() && Set(ids).count == 6)
            try client.subscribe(["q"], jobs: 6)
            #expect(try client.deliveries(6).map(\.job) == ids)
        }
    }
}
