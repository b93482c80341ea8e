/// Changes settings of a queue: those that are given, and no others.
///
///     u64 sequence | str8 queue | u8 flags (1 paused, 2 concurrency, 4 rate, 8 maxLength, 16 defaults: is given)
///     QueueSettings, where what is not given is 0 or empty
package struct SetQueue: WireMessage {
    package static let opcode = Opcode.setQueue
    package static let isReply = false

    /// The settings that a command gives.
    package struct Given: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let paused = Given(rawValue: 1 << 0)
        package static let concurrency = Given(rawValue: 1 << 1)
        package static let rate = Given(rawValue: 1 << 2)
        package static let maxLength = Given(rawValue: 1 << 3)
        package static let defaults = Given(rawValue: 1 << 4)
        package static let all: Given = [.paused, .concurrency, .rate, .maxLength, .defaults]
    }

    package var sequence: UInt64
    package var queue: String
    package var given: Given
    /// Those that are not given are the standard ones.
    package var settings: QueueSettings

    package init(sequence: UInt64, queue: String, given: Given, settings: QueueSettings) {
        self.sequence = sequence
        self.queue = queue
        self.given = given
        self.settings = settings
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(queue)
        writer.u8(given.rawValue)
        settings.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let name = try reader.range8()
        queue = try reader.bytes.queueName(name)
        let flags = try reader.u8()
        settings = try QueueSettings(from: &reader)
        try WireError.checkFlags(flags, allowed: Given.all.rawValue, "a change of a queue's settings")
        given = Given(rawValue: flags)
        guard !given.isEmpty else {
            throw WireError(.invalidOption, "A change of a queue's settings gives none; one at least is needed.")
        }
        guard settings == settings.only(given) else {
            throw WireError(.invalidOption, "A setting stands in a change whose flags say that it is not given.")
        }
    }
}

extension QueueSettings {
    /// Takes over what is given.
    package mutating func change(_ given: SetQueue.Given, to other: QueueSettings) {
        if given.contains(.paused) { isPaused = other.isPaused }
        if given.contains(.concurrency) { concurrency = other.concurrency }
        if given.contains(.rate) { rate = other.rate }
        if given.contains(.maxLength) { maxLength = other.maxLength }
        if given.contains(.defaults) { defaults = other.defaults }
    }

    /// These settings, where they are given; else the standard ones.
    fileprivate func only(_ given: SetQueue.Given) -> QueueSettings {
        var settings = QueueSettings.standard
        settings.change(given, to: self)
        return settings
    }
}

/// Delayed jobs need not wait any longer: one, or all of a queue.
///
///     u64 sequence | u8 kind (0 job, 1 queue) | u64 id | str8 queue
package struct Promote: WireMessage {
    package static let opcode = Opcode.promote
    package static let isReply = false

    package enum Target: Equatable, Sendable {
        case job(JobID)
        case queue(String)
    }

    package var sequence: UInt64
    package var target: Target

    package init(sequence: UInt64, target: Target) {
        self.sequence = sequence
        self.target = target
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        switch target {
        case .job(let id):
            writer.u8(0)
            writer.jobID(id)
            writer.string8("")
        case .queue(let name):
            writer.u8(1)
            writer.u64(0)
            writer.string8(name)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let kind = try reader.u8()
        let id = try reader.u64()
        let name = try reader.range8()
        switch kind {
        case 0: target = .job(JobID(id))
        case 1: target = .queue(try reader.bytes.queueName(name))
        default: throw WireError(.invalidOption, "\(kind) is nothing to promote; 0 (job) and 1 (queue) are.")
        }
        guard kind == 0 ? name.isEmpty : id == 0 else {
            throw WireError(.invalidOption, "A promotion names a job or a queue, not both.")
        }
    }
}
