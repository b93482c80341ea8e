import NIOCore
import PenstockWire

// Requests of all but workers: a message out, a message back.

extension PenstockClient {
    func read<Reply: WireMessage>(
        _ type: Reply.Type,
        _ request: some WireMessage
    ) async throws(PenstockError) -> Reply {
        let body = try await link.read { ByteBuffer(request, correlation: $0) }.get()
        return try PenstockClient.decode(type, body)
    }

    /// Waits for the end of a job or a flow, however often the connection is lost meanwhile.
    func wait<Reply: WireMessage>(
        _ type: Reply.Type,
        _ target: Wait.Target,
        timeout: Duration?
    ) async throws(PenstockError) -> Reply {
        let longest = Duration.milliseconds(Limits.waitMillisecondsMax)
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            let left = deadline.map { max($0 - .now, .zero) } ?? longest
            // The session writes what is left of the time into the frame when it sends it.
            let result = await link.read(timeout: min(left, longest), isWait: true) {
                ByteBuffer(Wait(target: target), correlation: $0)
            }
            switch result {
            case .success(let body): return try PenstockClient.decode(type, body)
            case .failure(let error):
                guard error.code == .timedOut, deadline.map({ $0 > .now }) ?? true else { throw error }
            }
        }
    }

    /// Adds what a plan says.
    func add(_ frame: ByteBuffer) async throws(PenstockError) -> AddOutcome {
        let body = try await link.add(frame).get()
        return try PenstockClient.decode(body) { (reader) throws(WireError) in try AddOutcome(from: &reader) }
    }

    private static func decode<Reply: WireMessage>(
        _ type: Reply.Type,
        _ body: [UInt8]
    ) throws(PenstockError) -> Reply {
        try decode(body) { (reader) throws(WireError) in try Reply(from: &reader) }
    }

    private static func decode<Value>(
        _ body: [UInt8],
        _ read: (inout WireReader) throws(WireError) -> Value
    ) throws(PenstockError) -> Value {
        do throws(WireError) {
            var reader = WireReader(body.rawSpan)
            return try read(&reader)
        } catch {
            throw PenstockError(error)
        }
    }
}
