import DequeModule
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// What happens, as a client reads it.
@Suite(.inTurns) struct `Events of a client` {
    private func withClient(_ body: (TestServer, PenstockClient) async throws -> Void) async throws {
        try await TestServer.run { server in
            try await PenstockClient.withClient(server.address) { client in try await body(server, client) }
        }
    }

    /// The numbers of the next events; a gap's is below zero.
    private func numbers(_ count: Int, _ iterator: inout JobEvents.AsyncIterator) async throws -> [Int] {
        var numbers: [Int] = []
        for _ in 0..<count {
            guard let event = try await iterator.next() else { break }
            numbers.append(event.change == .gap ? -Int(event.sequence) : Int(event.sequence))
        }
        return numbers
    }

    private func isTrue(_ body: () async throws -> Bool) async throws {
        for _ in 0..<5000 {
            if try await body() { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("it has not happened, however often it was asked for")
    }

    @Test func `events come in their order, and a gap among them`() async throws {
        try await withClient { server, client in
            var iterator = try await Queue("q", client).events([.completed]).makeAsyncIterator()
            try await server.with { $0.tell([101, 105]) }
            try await server.with { $0.tell([210], lost: 200) }
            #expect(try await numbers(4, &iterator) == [101, 105, -200, 210])
            let asked = try await server.with { $0.listens }
            #expect(asked.count == 1 && asked[0].scope == .queue("q") && asked[0].since == 0)
            #expect(asked[0].kinds == EventKinds(.completed) && asked[0].creditBytes == 256 << 10)
        }
    }

    @Test func `a listener whose connection is lost goes on behind the last event`() async throws {
        try await withClient { server, client in
            var iterator = try await client.events().makeAsyncIterator()
            try await server.with { $0.tell([101, 103]) }
            #expect(try await numbers(1, &iterator) == [101])
            // One event has come, and was not taken: it is not asked for again.
            try await server.with { core in core.connections.forEach { $0.drop() } }
            try await isTrue { try await server.with { $0.listens.count } == 2 }
            let asked = try await server.with { $0.listens[1] }
            #expect(asked.since == 103 && asked.scope == .all)
            #expect(asked.creditBytes < 256 << 10)
            try await server.with { $0.tell([104]) }
            #expect(try await numbers(2, &iterator) == [103, 104])
        }
    }

    @Test func `a listener to which nothing has come goes on behind where it began`() async throws {
        try await withClient { server, client in
            let events = try await client.events()
            try await server.with { core in core.connections.forEach { $0.drop() } }
            try await isTrue { try await server.with { $0.listens.count } == 2 }
            #expect(try await server.with { $0.listens[1].since } == 100)
            _ = events
        }
    }

    @Test func `a number of an earlier run is gone on behind`() async throws {
        try await withClient { server, client in
            let events = try await client.events(after: 42)
            #expect(try await server.with { $0.listens[0].since } == 42)
            _ = events
        }
    }

    @Test func `nothing more is granted before something has been read`() async throws {
        try await withClient { server, client in
            var iterator = try await client.events().makeAsyncIterator()
            try await server.with { core in
                for number in 0..<20 { core.tell([101 + UInt64(number)], bytes: 10_000) }
            }
            // Answered behind all of them, if only with a refusal.
            _ = try? await Queue("q", client).counts()
            #expect(try await server.with { $0.creditedBytes } == 0)
            #expect(try await numbers(20, &iterator) == Array(101...120))
            let bytes = 20 * (Event.byteCountMin + 4 + 10_000)
            try await isTrue {
                let credited = try await server.with { $0.creditedBytes }
                return credited <= bytes && credited > bytes - (64 << 10)
            }
        }
    }

    @Test func `what is refused is thrown, at the begin and later`() async throws {
        try await withClient { server, client in
            let error = WireError(.flowNotFound, "There is no flow 9.")
            try await server.with { $0.scripted[.listen] = [error] }
            #expect(await code { try await FlowHandle(FlowID(rawValue: 9), client).events() } == .flowNotFound)
            var iterator = try await client.events().makeAsyncIterator()
            try await server.with { core in
                core.scripted[.listen] = [error]
                core.tell([101])
                core.connections.forEach { $0.drop() }
            }
            // What has come before can still be read.
            do {
                let numbers = try await numbers(2, &iterator)
                Issue.record("nothing was thrown after \(numbers)")
            } catch let error as PenstockError {
                #expect(error.code == .flowNotFound)
            }
        }
    }

    @Test func `a reader that is cancelled ends, and listens no more`() async throws {
        try await withClient { server, client in
            let events = try await client.events()
            let reader = Task { () -> Int in
                var count = 0
                for try await _ in events { count += 1 }
                return count
            }
            try await server.with { $0.tell([101]) }
            reader.cancel()
            _ = try await reader.value
            try await isTrue { try await server.with { $0.listeners.isEmpty } }
        }
    }

    @Test func `events that nobody can read any more are not listened to`() async throws {
        try await withClient { server, client in
            do {
                let events = try await client.events()
                #expect(try await server.with { $0.listeners.count } == 1)
                _ = events
            }
            try await isTrue { try await server.with { $0.listeners.isEmpty } }
        }
    }

    @Test func `events end with their client`() async throws {
        try await TestServer.run { server in
            let client = PenstockClient(server.address)
            async let running: Void = client.run()
            let events = try await client.events()
            client.shutDown()
            try await running
            do {
                for try await event in events { Issue.record("\(event)") }
                Issue.record("nothing was thrown")
            } catch let error as PenstockError {
                #expect(error.code == .shutDown)
            }
            #expect(await code { try await client.events() } == .shutDown)
        }
    }

    private func code(_ body: () async throws -> JobEvents) async -> PenstockError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? PenstockError)?.code
        }
    }

    @Test func `a server that is not there is waited for no longer than for any request`() async throws {
        try await TestServer.run { server in
            let configuration = PenstockClient.Configuration(requestTimeout: .milliseconds(50))
            let client = PenstockClient(server.address, configuration: configuration)
            #expect(await code { try await client.events() } == .timedOut)
        }
    }

    @Test func `no kind of events is refused before anything is sent`() async throws {
        try await withClient { server, client in
            #expect(await code { try await client.events([]) } == .invalidOption)
            let asked = try await server.with { $0.listens.count }
            #expect(asked == 0)
        }
    }
}
