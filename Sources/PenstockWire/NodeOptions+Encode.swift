/// Options that are sent though they are at their default: so that they win over the queue's.
package struct ExplicitOptions: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Parameter tag: one of ``OptionTag``.
    package init(_ tag: UInt16) { rawValue = 1 << UInt64(tag) }

    /// Every option that has a value.
    package static let all = ExplicitOptions(rawValue: .max)
}

extension NodeOptions {
    /// Appends the options that differ from the default or are `explicit`, and returns how many those are.
    package func encode(into writer: inout WireWriter, explicit: ExplicitOptions = []) -> UInt8 {
        encodeCommon(into: &writer, explicit) + encodeLasting(into: &writer, explicit)
    }

    private func encodeCommon(into writer: inout WireWriter, _ explicit: ExplicitOptions) -> UInt8 {
        var count: UInt8 = 0
        func tag(_ tag: UInt16, _ length: UInt16, _ writer: inout WireWriter) {
            writer.option(tag, length)
            count += 1
        }
        let standard = NodeOptions.default
        if priority != standard.priority || explicit.contains(ExplicitOptions(OptionTag.priority)) {
            tag(OptionTag.priority, 4, &writer)
            writer.u32(priority)
        }
        if delay != standard.delay || explicit.contains(ExplicitOptions(OptionTag.delay)) {
            tag(OptionTag.delay, 8, &writer)
            writer.u64(delay)
        }
        if attempts != standard.attempts || explicit.contains(ExplicitOptions(OptionTag.attempts)) {
            tag(OptionTag.attempts, 2, &writer)
            writer.u16(attempts)
        }
        if backoff != standard.backoff || explicit.contains(ExplicitOptions(OptionTag.backoff)) {
            tag(OptionTag.backoff, 19, &writer)
            writer.u8(backoff.kind.rawValue)
            writer.u64(backoff.delay)
            writer.u64(backoff.maximum)
            writer.u16(backoff.jitter)
        }
        if lifo { tag(OptionTag.lifo, 0, &writer) }
        if rejectExisting { tag(OptionTag.rejectExisting, 0, &writer) }
        if onFailure != standard.onFailure || explicit.contains(ExplicitOptions(OptionTag.onFailure)) {
            tag(OptionTag.onFailure, 1, &writer)
            writer.u8(onFailure.rawValue)
        }
        if maxStalledCount != standard.maxStalledCount || explicit.contains(ExplicitOptions(OptionTag.maxStalledCount))
        {
            tag(OptionTag.maxStalledCount, 2, &writer)
            writer.u16(maxStalledCount)
        }
        if cancelSiblings { tag(OptionTag.cancelSiblings, 0, &writer) }
        return count
    }

    /// What becomes of a job that has finished, and the options that few jobs have: in this form JOB tells of them.
    package func encodeLasting(into writer: inout WireWriter, _ explicit: ExplicitOptions = []) -> UInt8 {
        var count: UInt8 = 0
        if repeatEvery > 0 {
            writer.option(OptionTag.repeatEvery, 8)
            writer.u64(repeatEvery)
            count += 1
        }
        if let keepCompleted {
            writer.option(OptionTag.keepCompleted, 12)
            keepCompleted.encode(into: &writer)
            count += 1
        }
        if let keepFailed {
            writer.option(OptionTag.keepFailed, 12)
            keepFailed.encode(into: &writer)
            count += 1
        }
        return count + encodeRare(into: &writer, explicit)
    }

    /// True where an option that few jobs have is not at its default.
    package var hasRare: Bool {
        timeout > 0 || ttl > 0 || keepLogs != Limits.keepLogsDefault || maxStarted > 0 || at > 0
    }

    /// The options that few jobs have: in this form the database keeps them.
    package func encodeRare(into writer: inout WireWriter, _ explicit: ExplicitOptions = []) -> UInt8 {
        var count: UInt8 = 0
        if timeout > 0 {
            writer.option(OptionTag.timeout, 8)
            writer.u64(timeout)
            count += 1
        }
        if ttl > 0 {
            writer.option(OptionTag.ttl, 8)
            writer.u64(ttl)
            count += 1
        }
        if keepLogs != Limits.keepLogsDefault || explicit.contains(ExplicitOptions(OptionTag.keepLogs)) {
            writer.option(OptionTag.keepLogs, 4)
            writer.u32(keepLogs)
            count += 1
        }
        if maxStarted > 0 {
            writer.option(OptionTag.maxStarted, 4)
            writer.u32(maxStarted)
            count += 1
        }
        if at > 0 {
            writer.option(OptionTag.at, 8)
            writer.u64(at)
            count += 1
        }
        return count
    }
}

extension WireWriter {
    /// The head of an option that must be understood, as all of version 1 are.
    package mutating func option(_ tag: UInt16, _ length: UInt16) {
        u16(tag | OptionTag.mustUnderstand)
        u16(length)
    }

    /// Appends the option of a group, unless the name is empty, and returns how many options that are.
    package mutating func option(group: String) -> UInt8 {
        if group.isEmpty { return 0 }
        u16(OptionTag.group | OptionTag.mustUnderstand)
        string16(group)
        return 1
    }
}
