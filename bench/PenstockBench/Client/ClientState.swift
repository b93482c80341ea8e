internal import BenchSupport
internal import PenstockWire

/// What a connected client knows and decides, without the connection: bytes in, bytes out, the time given.
///
/// Deliveries and outcomes are read where they stand in the received frame, completions are written straight into the
/// frame to be sent: nothing is allocated for a job.
struct ClientState {
    var session: SessionNumbers
    /// Delivered jobs in order.
    private var leases = Ring(empty: HeldLease.none)
    private let frameBytesMax: Int

    /// What a job is answered with.
    enum Verdict {
        case completed
        case failed
    }

    /// What the jobs that are answered from now on came to.
    var verdict = Verdict.completed
    /// Nanoseconds that a job is held before its completion.
    var holdNanoseconds: UInt64 = 0
    private(set) var delivered = 0
    /// Jobs whose completion or failure was sent.
    private(set) var answered = 0
    /// The deliveries, where somebody wants to know them.
    var journal: DeliveryJournal?
    /// Whether the ids of the next add are wanted; they are read only then.
    var wantsAddOutcome = false
    private(set) var addOutcome: AddOutcome?
    /// Commands with an outcome, refused ones included.
    private(set) var acknowledged = 0
    /// Commands that were refused.
    private(set) var refused = 0
    /// Why the first one was.
    private(set) var firstRefusal: WireError?
    /// The lease that the server ended, counted: a sign that the benchmark measures something else than it says.
    private(set) var revoked = 0
    private(set) var firstDeliveryAt: UInt64 = 0
    private(set) var lastDeliveryAt: UInt64 = 0
    private(set) var lastOutcomeAt: UInt64 = 0
    private(set) var lastCompletionAt: UInt64 = 0
    /// From sending the last completion to the next delivery; with one credit, what a worker waits for its next job.
    var nextJobLatency = Histogram()
    /// The last reply to a request, until it is taken.
    private(set) var reply: Reply?

    /// A reply, copied: requests are rare.
    struct Reply {
        var opcode: UInt8
        var correlation: UInt32
        var error: WireError?
        var body: [UInt8]
    }

    init(session: SessionNumbers, frameBytesMax: Int = Limits.frameBytesMax) {
        self.session = session
        self.frameBytesMax = frameBytesMax
    }

    var held: Int { leases.count }

    /// Forgets counts, times and latencies, not leases or numbers: the measured part begins.
    ///
    /// Call it while nothing is delivered or in flight: what comes later would count.
    mutating func beginMeasuring() {
        delivered = 0
        answered = 0
        acknowledged = 0
        firstDeliveryAt = 0
        lastOutcomeAt = 0
        lastCompletionAt = 0
        forgetLatencies()
    }

    /// Forgets the latencies alone: those of the warm-up.
    mutating func forgetLatencies() {
        nextJobLatency = Histogram()
        session.addLatency = Histogram()
    }

    mutating func takeReply() -> Reply? {
        defer { reply = nil }
        return reply
    }

    mutating func takeAddOutcome() -> AddOutcome? {
        defer { addOutcome = nil }
        return addOutcome
    }
}

// MARK: Receiving

extension ClientState {
    /// Takes one frame.
    ///
    /// - Throws: what makes the connection useless: a malformed frame, a hard error, a session out of step.
    mutating func receive(_ header: FrameHeader, _ body: RawSpan, at now: UInt64) throws(WireError) {
        switch Opcode(rawValue: header.opcode) {
        case .deliver: try deliver(body, at: now)
        case .applied: try apply(body, at: now)
        case .heartbeat: break
        case .revoked: revoked += try Revoked(body: body).leases.count
        case .goodbye where !header.flags.contains(.reply):
            throw WireError(.draining, "The server says goodbye: it is about to stop.")
        default: try takeReply(header, body)
        }
    }

    private mutating func deliver(_ body: RawSpan, at now: UInt64) throws(WireError) {
        var reader = WireReader(body)
        let count = try reader.count16(bytesEach: Delivery.byteCountMin)
        for _ in 0..<count {
            let slot = try reader.u32()
            let token = try reader.u64()
            let job = try reader.jobID()
            // Up to the name everything has a fixed length; behind it there are at least the two counts.
            _ = try reader.range(14)
            let flags = try reader.u8()
            _ = try reader.range(Delivery.byteCountMin - 20 - 15 - 5)
            _ = try reader.range8()
            _ = try reader.range32()
            // Of what jobs may have besides, the bench gives them groups alone.
            if flags & Delivery.hasGroupFlag != 0 { _ = try reader.range8() }
            leases.append(HeldLease(slot: slot, token: token, deliveredAt: now))
            journal?.append(job, answeredBefore: answered)
        }
        if firstDeliveryAt == 0 { firstDeliveryAt = now }
        lastDeliveryAt = now
        if lastCompletionAt != 0 { nextJobLatency.record(now - lastCompletionAt) }
        delivered += count
    }

    private mutating func apply(_ body: RawSpan, at now: UInt64) throws(WireError) {
        var reader = WireReader(body)
        _ = try reader.u64()
        for _ in 0..<(try reader.count32(bytesEach: Outcome.byteCountMin)) {
            let first = try reader.u64()
            let count = try reader.u32()
            _ = try reader.u32()
            let status = try reader.u16()
            let body = try reader.range32()
            try session.acknowledge(first: first, count: UInt64(count), at: now)
            acknowledged += Int(count)
            if status != 0 {
                refuse(Int(count), status, reader.bytes.extracting(body))
            } else if wantsAddOutcome && !body.isEmpty {
                var reader = WireReader(reader.bytes.extracting(body))
                addOutcome = try AddOutcome(from: &reader)
            }
        }
        lastOutcomeAt = now
    }

    private mutating func refuse(_ count: Int, _ status: UInt16, _ body: RawSpan) {
        refused += count
        guard firstRefusal == nil else { return }
        firstRefusal = WireError(status: status, body: body)
    }

    private mutating func takeReply(_ header: FrameHeader, _ body: RawSpan) throws(WireError) {
        guard header.flags.contains(.reply) else {
            throw WireError(.malformed, "A frame with opcode \(header.opcode) that is no reply.")
        }
        let error = header.flags.contains(.error) ? WireError(status: header.status, body: body) : nil
        if let error, error.code.isHard || header.correlation == 0 { throw error }
        reply = Reply(
            opcode: header.opcode,
            correlation: header.correlation,
            error: error,
            body: [UInt8](copying: body)
        )
    }
}

extension WireError {
    /// The error of a reply or of an outcome.
    fileprivate init(status: UInt16, body: RawSpan) {
        var reader = WireReader(body)
        let message = (try? ErrorBody(from: &reader).message) ?? "without a message"
        self.init(ErrorCode(rawValue: status) ?? .internalError, "\(status): \(message)")
    }
}

// MARK: Sending

extension ClientState {
    /// Writes the answers to all jobs that were held long enough, in as few frames as the limits allow.
    mutating func writeAnswers(into writer: inout WireWriter, at now: UInt64) {
        while let first = leases.first, isDue(first, at: now), session.hasRoom() { writeFrame(into: &writer, at: now) }
    }

    private func isDue(_ lease: HeldLease, at now: UInt64) -> Bool { lease.deliveredAt + holdNanoseconds <= now }

    private mutating func writeFrame(into writer: inout WireWriter, at now: UInt64) {
        let start = writer.beginFrame(FrameHeader(verdict == .completed ? .complete : .fail))
        let body = writer.count
        writer.u64(0)
        writer.u16(0)
        var count = 0
        while count < Limits.completionsPerFrameMax, let lease = leases.first, isDue(lease, at: now),
            writer.count - start + Failure.byteCountMin <= frameBytesMax
        {
            leases.removeFirst()
            writeItem(lease, into: &writer)
            count += 1
        }
        writer.patch(session.take(count, at: now), at: body)
        writer.patch(UInt16(count), at: body + 8)
        writer.endFrame(start)
        answered += count
        lastCompletionAt = now
    }

    /// A completion without a result, or a failure without a message.
    private func writeItem(_ lease: HeldLease, into writer: inout WireWriter) {
        writer.u32(lease.slot)
        writer.u64(lease.token)
        switch verdict {
        case .completed:
            writer.u8(ContentType.none.rawValue)
        case .failed:
            writer.u8(Failure.unrecoverableFlag)
            writer.u64(0)
            writer.u16(0)
        }
        writer.u32(0)
    }

    /// Writes the heartbeat that lets the server forget the outcomes that are here.
    func writeHeartbeat(into writer: inout WireWriter) {
        Heartbeat(number: session.confirmed).encodeFrame(into: &writer)
    }
}
