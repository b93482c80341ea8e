extension NodeOptions {
    /// Reads the value of an option; false where it is one of a later version that need not be understood.
    package mutating func read(_ tag: UInt16, _ reader: inout WireReader) throws(WireError) -> Bool {
        switch tag & ~OptionTag.mustUnderstand {
        case OptionTag.priority: priority = try reader.u32()
        case OptionTag.delay: delay = try reader.u64()
        case OptionTag.attempts: attempts = try reader.u16()
        case OptionTag.backoff:
            backoff.kind = try reader.value(BackoffKind.self, "kind of backoff (0 fixed, 1 exponential)")
            backoff.delay = try reader.u64()
            backoff.maximum = try reader.u64()
            backoff.jitter = try reader.u16()
        case OptionTag.lifo: lifo = true
        case OptionTag.rejectExisting: rejectExisting = true
        case OptionTag.onFailure: onFailure = try reader.value(FailurePolicy.self, "failure policy; 0 to 4 are")
        case OptionTag.maxStalledCount: maxStalledCount = try reader.u16()
        case OptionTag.cancelSiblings: cancelSiblings = true
        case OptionTag.repeatEvery:
            repeatEvery = try NodeOptions.given(try reader.u64(), "A repetition every 0 ms")
        case OptionTag.keepCompleted: keepCompleted = try Retention(from: &reader)
        case OptionTag.keepFailed: keepFailed = try Retention(from: &reader)
        case OptionTag.timeout: timeout = try NodeOptions.given(try reader.u64(), "A timeout of 0 ms")
        case OptionTag.ttl: ttl = try NodeOptions.given(try reader.u64(), "A ttl of 0 ms")
        case OptionTag.keepLogs: keepLogs = try reader.u32()
        case OptionTag.maxStarted:
            maxStarted = try reader.u32()
            guard maxStarted > 0 else {
                throw WireError(.invalidOption, "A maxStarted of 0; 1 to \(UInt32.max) are allowed.")
            }
        case OptionTag.at:
            at = try reader.u64()
            guard at > 0 else {
                throw WireError(.invalidOption, "A time of 0; 1 to \(Limits.wallMillisecondsMax) are allowed.")
            }
        default:
            if tag & OptionTag.mustUnderstand != 0 { throw .unknownOption(tag) }
            return false
        }
        return true
    }
    /// Zero stands in memory for an option that is not given: on the wire that is the option's absence.
    private static func given(_ value: UInt64, _ what: String) throws(WireError) -> UInt64 {
        guard value > 0 else {
            throw WireError(.invalidOption, "\(what); 1 to \(Limits.delayMillisecondsMax) are allowed.")
        }
        return value
    }
}
