import PenstockWire

/// How the handler's run ended.
enum HandlerOutcome: Sendable {
    case completed(RawPayload)
    case failed(message: String, unrecoverable: Bool, delay: UInt64?)
    /// The job is to run again later; nil for data stays as it was.
    case putOff(to: Move.Place, delay: UInt64, data: RawPayload?)
    /// The job has not begun, and another worker may have it.
    case givenBack
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
            case is JobGivenBack: return .givenBack
            case let error as RetryAfter: return failed(error, delay: milliseconds(error.delay))
            case is UnrecoverableError, is UndecodableData: return failed(error, unrecoverable: true)
            default: return failed(error)
            }
        } catch {
            return failed(UnrecoverableError("The job's new data: \(error.message)"), unrecoverable: true)
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

    /// A result, encoded.
    /// - Throws: ``UnrecoverableError`` where it can't be, or is too large: a further attempt would not mend it.
    static func encoded<Result: Encodable>(result: Result) throws -> RawPayload {
        do throws(PenstockError) {
            let payload = try PayloadCoder.encode(result)
            try Checks.result(payload.bytes)
            return payload
        } catch {
            throw UnrecoverableError(error.message)
        }
    }
}
