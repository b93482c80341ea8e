/// At most so many leases of a queue in a window; the next window begins with the first lease behind it.
///
///     u32 max (0: no limit) | u64 window in milliseconds (0 where there is no limit)
package struct RateLimit: Equatable, Sendable {
    package var max: UInt32
    /// Milliseconds.
    package var window: UInt64

    package static let none = RateLimit(max: 0, window: 0)

    package init(max: UInt32, window: UInt64) {
        self.max = max
        self.window = window
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(max)
        writer.u64(window)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        max = try reader.u32()
        window = try reader.u64()
        guard max == 0 ? window == 0 : (1...Limits.delayMillisecondsMax).contains(window) else {
            throw WireError(
                .invalidOption,
                "A rate of \(max) jobs in \(window) ms; a window of 1 to \(Limits.delayMillisecondsMax) ms is allowed, and 0 in 0 ms for no limit."
            )
        }
    }
}

/// What is set of a queue. A queue of which nothing was set has the ``standard`` ones.
///
///     u8 paused | u32 concurrency | RateLimit | u32 maxLength | u8 defaults | defaults x tagged
package struct QueueSettings: Equatable, Sendable {
    /// Nothing is granted.
    package var isPaused = false
    /// Jobs that may run at a time; 0: no limit.
    package var concurrency: UInt32 = 0
    package var rate = RateLimit.none
    /// Unfinished jobs that the queue may have; 0: no limit.
    package var maxLength: UInt32 = 0
    /// What a job has of options that it does not give.
    package var defaults = NodeOptions.default

    package static let standard = QueueSettings()

    package init() {}

    package func encode(into writer: inout WireWriter) {
        writer.u8(isPaused ? 1 : 0)
        writer.u32(concurrency)
        rate.encode(into: &writer)
        writer.u32(maxLength)
        defaults.encodeBlock(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let paused = try reader.u8()
        guard paused <= 1 else {
            throw WireError(.invalidOption, "\(paused) is not whether a queue is paused; 0 (no) and 1 (yes) are.")
        }
        isPaused = paused == 1
        concurrency = try reader.u32()
        rate = try RateLimit(from: &reader)
        maxLength = try reader.u32()
        defaults = try NodeOptions(defaultsFrom: &reader)
    }
}

extension NodeOptions {
    /// The options that a queue can have defaults of.
    private static let asDefaults: Set<UInt16> = [
        OptionTag.priority, OptionTag.delay, OptionTag.attempts, OptionTag.backoff, OptionTag.onFailure,
        OptionTag.maxStalledCount, OptionTag.keepCompleted, OptionTag.keepFailed, OptionTag.timeout, OptionTag.ttl,
        OptionTag.keepLogs, OptionTag.maxStarted,
    ]

    /// Appends the options that differ from the default, and how many those are before them.
    func encodeBlock(into writer: inout WireWriter) {
        let start = writer.count
        writer.u8(0)
        let count = encode(into: &writer)
        writer.patch(count, at: start)
    }

    /// Reads the defaults of a queue; what is none of them is as it is without.
    init(defaultsFrom reader: inout WireReader) throws(WireError) {
        self = .default
        var seen: Set<UInt16> = []
        for _ in 0..<(try reader.u8()) {
            let tag = try reader.u16()
            let place = try reader.range16()
            let number = tag & ~OptionTag.mustUnderstand
            var value = WireReader(reader.bytes.extracting(place))
            guard NodeOptions.asDefaults.contains(number) else {
                guard number > OptionTag.last else {
                    throw WireError(.invalidOption, "Option \(number) of a job can't be a default of its queue.")
                }
                if tag & OptionTag.mustUnderstand != 0 { throw .unknownOption(tag) }
                continue
            }
            guard seen.insert(number).inserted else {
                throw WireError(.invalidOption, "Option \(number) stands twice among the defaults of a queue.")
            }
            _ = try read(tag, &value)
            try value.end("an option")
        }
        try validate()
    }
}
