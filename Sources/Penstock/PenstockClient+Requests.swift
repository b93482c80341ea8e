import NIOCore
import PenstockWire

// Requests of all but workers: a message out, a message back.

extension PenstockClient {
    func read<Reply: WireMessage>(
        _ type: Reply.Type,
        _ request: some WireMessage,
        over link: Link? = nil
    ) async throws(PenstockError) -> Reply {
        let link = link ?? self.link
        let body = try await tryingAgain { left in
            await link.read(timeout: left) { ByteBuffer(request, correlation: $0) }
        }
        return try PenstockClient.decode(type, body)
    }

    /// Waits for the end of a job or a flow, however often the connection is lost meanwhile.
    ///
    /// It asks again every two minutes: the server is not told that somebody has given up, and waits until then.
    func wait<Reply: WireMessage>(
        _ type: Reply.Type,
        _ target: Wait.Target,
        timeout: Duration?
    ) async throws(PenstockError) -> Reply {
        let longest = Duration.seconds(120)
        let deadline = timeout.map { ContinuousClock.now + $0 }
        var pauses = GrowingWait.request
        while true {
            let left = deadline.map { max($0 - .now, .zero) } ?? longest
            // The session writes what is left of the time into the frame when it sends it.
            let result = await link.read(timeout: min(left, longest), isWait: true) {
                ByteBuffer(Wait(target: target), correlation: $0)
            }
            switch result {
            case .success(let body): return try PenstockClient.decode(type, body)
            case .failure(let error):
                guard deadline.map({ $0 > .now }) ?? true else { throw error }
                if error.code == .timedOut { continue }
                guard error.isBusy, try await PenstockClient.pause(&pauses, until: deadline ?? .now + longest) else {
                    throw error
                }
            }
        }
    }

    /// Adds what a plan says.
    func add(_ plan: AddPlan) async throws(PenstockError) -> AddOutcome {
        if let frame = try plan.frame() {
            return try await command(frame) { (reader) throws(WireError) in try AddOutcome(from: &reader) }
        }
        guard !plan.hasDeduplications else {
            throw PenstockError(
                .addTooLarge,
                "An add with deduplications holds at most \(Limits.jobsPerAddMax) jobs and takes at most \(Limits.frameBytesMax) bytes. Split it into several adds."
            )
        }
        let parts = plan.parts
        guard parts.totals.bytes <= Limits.stagedBytesMax else {
            throw PenstockError(
                .addTooLarge,
                "The add takes more than \(Limits.stagedBytesMax) bytes. Split it into several adds."
            )
        }
        let body = try await addAll(parts)
        return try PenstockClient.decode(body) { (reader) throws(WireError) in
            try AddOutcome(from: &reader, jobsMax: Limits.stagedJobsMax)
        }
    }

    /// Sends the parts of a large add, one after the other, each with the time of a request for itself.
    ///
    /// All of it is sent again where the server dropped it, or may have: nothing is stored before the last part.
    private func addAll(_ parts: AddParts) async throws(PenstockError) -> [UInt8] {
        var wait = GrowingWait.request
        var next = 0
        var deadline = ContinuousClock.now + configuration.requestTimeout
        while true {
            let failure: PenstockError
            do throws(PenstockError) {
                return try await send(parts) { part in
                    // Only a part that had not been reached before: else an add could begin again for ever.
                    guard part > next else { return }
                    next = part
                    deadline = .now + configuration.requestTimeout
                }
            } catch {
                failure = error
            }
            let goesOn = failure.isBusy || failure == .unfinishedAdd
            guard goesOn, try await PenstockClient.pause(&wait, until: deadline) else { throw failure }
        }
    }

    private func send(
        _ parts: AddParts,
        _ reached: (Int) -> Void
    ) async throws(PenstockError) -> [UInt8] {
        let number = newLargeAdd()
        var body: [UInt8] = []
        for part in 0..<parts.count {
            reached(part)
            switch await link.command(parts.frame(part, add: number), timeout: configuration.requestTimeout) {
            case .success(let outcome): body = outcome
            case .failure(let error):
                // Where the server has refused the part, it has dropped the add by itself, and this changes nothing.
                link.post(parts.abandonment(add: number))
                let isKnown = error.code != .outcomeUnknown || part == parts.count - 1
                throw isKnown ? error : .unfinishedAdd
            }
        }
        return body
    }

    /// Carries out a command that reaches a number of jobs.
    func count(_ message: some WireMessage) async throws(PenstockError) -> Int {
        let outcome = try await command(ByteBuffer(message)) { (reader) throws(WireError) in
            try CountOutcome(from: &reader)
        }
        return Int(outcome.jobs)
    }

    /// Carries out a command whose outcome says nothing.
    func carryOut(_ message: some WireMessage) async throws(PenstockError) {
        try await command(ByteBuffer(message)) { _ in }
    }

    /// Carries out a durable command.
    /// - Parameter link: the workers' own for what is done under a lease.
    func command<Outcome>(
        _ frame: ByteBuffer,
        over link: Link? = nil,
        _ read: (inout WireReader) throws(WireError) -> Outcome
    ) async throws(PenstockError) -> Outcome {
        let link = link ?? self.link
        let body = try await tryingAgain { left in await link.command(frame, timeout: left) }
        return try PenstockClient.decode(body, read)
    }

    /// Makes a request again that the server refused for the time being, as long as its own time lasts.
    private func tryingAgain(
        _ request: (Duration) async -> Result<[UInt8], PenstockError>
    ) async throws(PenstockError) -> [UInt8] {
        let deadline = ContinuousClock.now + configuration.requestTimeout
        var wait = GrowingWait.request
        while true {
            do throws(PenstockError) {
                return try await request(deadline - .now).get()
            } catch {
                guard error.isBusy, try await PenstockClient.pause(&wait, until: deadline) else { throw error }
            }
        }
    }

    /// - Returns: false where the next wait would be over after the deadline.
    private static func pause(
        _ wait: inout GrowingWait,
        until deadline: ContinuousClock.Instant
    ) async throws(PenstockError) -> Bool {
        let pause = wait.next(random: .random(in: 0..<1))
        guard .now + pause < deadline else { return false }
        do { try await Task.sleep(for: pause) } catch { throw .cancelledByTask }
        return true
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

extension PenstockError {
    /// What became of a part that is not the last one is not known; of the add nothing has been stored.
    fileprivate static let unfinishedAdd = PenstockError(
        .timedOut,
        "A part of a large add was not answered before the connection or the time was over. Nothing of it is stored."
    )

    /// True where the server asks for a little patience: nothing has been carried out, and soon it can be.
    ///
    /// A part of a large add is out of its turn if the session was lost between two parts, and the add with it.
    fileprivate var isBusy: Bool { code == .settling || code == .customIDBusy || code == .stageMismatch }
}
