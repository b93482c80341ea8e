import PenstockWire

/// How the handler's run ended.
enum HandlerOutcome: Sendable {
    case completed(RawPayload)
    case failed(message: String, unrecoverable: Bool, delay: UInt64?)
}

extension HandlerOutcome {
    /// What a thrown error means.
    static func thrown(_ error: any Error) -> HandlerOutcome {
        var unrecoverable = false
        var delay: UInt64?
        if let error = error as? RetryAfter {
            delay = min(error.delay.millisecondsRoundedUp ?? 0, Limits.delayMillisecondsMax)
        } else {
            unrecoverable = error is UnrecoverableError
        }
        return .failed(
            message: String(describing: error).cut(toBytes: Limits.failureMessageBytesMax),
            unrecoverable: unrecoverable,
            delay: delay
        )
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
