import PenstockWire

/// How the handler's run ended.
enum HandlerOutcome: Sendable {
    case completed(RawPayload)
    case failed(message: String, unrecoverable: Bool, delay: UInt64?)
    /// The job is to run again later; nil for data stays as it was.
    case putOff(to: Move.Place, delay: UInt64, data: RawPayload?)
}

extension HandlerOutcome {
    /// What a thrown error means.
    static func thrown(_ error: any Error) -> HandlerOutcome {
        do throws(PenstockError) {
            switch error {
            case let error as WaitForChildren:
                return .putOff(to: .waitingChildren, delay: 0, data: try encoded(error.data))
            case let error as Delayed:
                return .putOff(to: .delayed, delay: milliseconds(error.delay), data: try encoded(error.data))
            case let error as RateLimited:
                return .putOff(to: .rateLimited, delay: max(1, milliseconds(error.duration)), data: nil)
            case let error as RetryAfter: return failed(error, delay: milliseconds(error.delay))
            case is UnrecoverableError: return failed(error, unrecoverable: true)
            default: return failed(error)
            }
        } catch {
            return .unrecoverable("The job's new data: \(error.message)")
        }
    }

    private static func failed(
        _ error: any Error,
        unrecoverable: Bool = false,
        delay: UInt64? = nil
    ) -> HandlerOutcome {
        let message = String(describing: error).cut(toBytes: Limits.failureMessageBytesMax)
        return .failed(message: message, unrecoverable: unrecoverable, delay: delay)
    }

    private static func milliseconds(_ delay: Duration) -> UInt64 {
        min(delay.millisecondsRoundedUp ?? 0, Limits.delayMillisecondsMax)
    }

    private static func encoded(_ data: (any Encodable & Sendable)?) throws(PenstockError) -> RawPayload? {
        guard let data else { return nil }
        let payload = try PayloadCoder.encode(data)
        try Checks.data(payload.bytes)
        return payload
    }

    static func unrecoverable(_ message: String) -> HandlerOutcome {
        .failed(message: message.cut(toBytes: Limits.failureMessageBytesMax), unrecoverable: true, delay: nil)
    }

    /// A result, encoded; one that can't be, or is too large, fails the job: a further attempt would not mend it.
    static func returned<Result: Encodable>(_ result: Result) -> HandlerOutcome {
        do throws(PenstockError) {
            let payload = try PayloadCoder.encode(result)
            guard payload.bytes.count <= Limits.payloadBytesMax else {
                return .unrecoverable(
                    "The result has \(payload.bytes.count) bytes; at most \(Limits.payloadBytesMax) are allowed."
                )
            }
            return .completed(payload)
        } catch {
            return .unrecoverable(error.message)
        }
    }
}
