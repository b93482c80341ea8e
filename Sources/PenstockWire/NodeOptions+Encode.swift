extension NodeOptions {
    /// Appends the options that differ from the default, and returns how many those are.
    package func encode(into writer: inout WireWriter) -> UInt8 {
        var count: UInt8 = 0
        func tag(_ tag: UInt16, _ length: UInt16, _ writer: inout WireWriter) {
            writer.u16(tag | OptionTag.mustUnderstand)
            writer.u16(length)
            count += 1
        }
        let standard = NodeOptions.default
        if priority != standard.priority {
            tag(OptionTag.priority, 4, &writer)
            writer.u32(priority)
        }
        if delay != standard.delay {
            tag(OptionTag.delay, 8, &writer)
            writer.u64(delay)
        }
        if attempts != standard.attempts {
            tag(OptionTag.attempts, 2, &writer)
            writer.u16(attempts)
        }
        if backoff != standard.backoff {
            tag(OptionTag.backoff, 19, &writer)
            writer.u8(backoff.kind.rawValue)
            writer.u64(backoff.delay)
            writer.u64(backoff.maximum)
            writer.u16(backoff.jitter)
        }
        if lifo { tag(OptionTag.lifo, 0, &writer) }
        if rejectExisting { tag(OptionTag.rejectExisting, 0, &writer) }
        if onFailure != standard.onFailure {
            tag(OptionTag.onFailure, 1, &writer)
            writer.u8(onFailure.rawValue)
        }
        if maxStalledCount != standard.maxStalledCount {
            tag(OptionTag.maxStalledCount, 2, &writer)
            writer.u16(maxStalledCount)
        }
        if cancelSiblings { tag(OptionTag.cancelSiblings, 0, &writer) }
        if repeatEvery != standard.repeatEvery {
            tag(OptionTag.repeatEvery, 8, &writer)
            writer.u64(repeatEvery)
        }
        if let keepCompleted {
            tag(OptionTag.keepCompleted, 12, &writer)
            keepCompleted.encode(into: &writer)
        }
        if let keepFailed {
            tag(OptionTag.keepFailed, 12, &writer)
            keepFailed.encode(into: &writer)
        }
        return count
    }
}
