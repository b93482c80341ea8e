import PenstockWire

/// Listening, frame by frame.
extension WireClient {
    /// Begins to listen; gives the number behind which everything is told.
    @discardableResult
    func listen(
        _ scope: Listen.Scope = .all,
        stream: UInt32 = 7,
        kinds: EventKinds = .all,
        since: UInt64 = 0,
        bytes: UInt32 = UInt32(Limits.creditBytesMax)
    ) throws -> UInt64 {
        let message = Listen(scope, kinds: kinds, since: since, creditBytes: bytes)
        return try request(message, stream: stream, Listening.self).get().sequence
    }

    /// The next events of a stream, at least so many, and what was lost before them: 0 for nothing.
    func events(_ count: Int, stream: UInt32 = 7) throws -> (events: [Event], lost: UInt64) {
        var events: [Event] = []
        var lost: UInt64 = 0
        while events.count < count {
            let frame = try next { $0.opcode == .events && $0.header.stream == stream }
            let message = try Events(body: frame.body.rawSpan)
            lost = max(lost, message.lost)
            events += message.events
        }
        return (events, lost)
    }

    /// The next events in words; nothing may be lost before them.
    func told(_ count: Int, stream: UInt32 = 7) throws -> [String] {
        let (events, lost) = try events(count, stream: stream)
        guard lost == 0 else { throw WireFailure("events up to \(lost) are lost") }
        return events.map { "\($0.name.isEmpty ? $0.queue : $0.name) \($0.head.kind)" }
    }

    /// The next gap of a stream: up to where events are lost.
    func gap(stream: UInt32 = 7) throws -> UInt64 {
        let frame = try next { $0.opcode == .events && $0.header.stream == stream }
        return try Events(body: frame.body.rawSpan).lost
    }

    /// Asserts by a round trip that nothing was told up to now.
    func wasToldNothing() throws -> Bool {
        try roundTrip()
        return !skipped.contains { $0.opcode == .events }
    }

    /// Reports progress; the code of the last outcome.
    func report(_ delivery: Delivery, progress: [UInt8], times: Int = 1) throws -> ErrorCode? {
        var bytes: [UInt8] = []
        for _ in 0..<times {
            let report = Report(
                sequence: newSequence(),
                slot: delivery.slot,
                token: delivery.token,
                progress: Payload(.binary, progress)
            )
            bytes += WireClient.frame(report, capacity: progress.count + 128)
        }
        send(bytes: bytes)
        return ErrorCode(rawValue: try outcome(sequence).status)
    }
}
