/// Removes jobs, and by default the dependencies that nothing else needs.
///
///     u64 sequence | u8 kind (0 job, 1 flow, 2 the dependencies of a job that are neither finished nor leased)
///     u8 flags (1 keep the dependencies) | u64 id
package struct Remove: WireMessage {
    package static let opcode = Opcode.remove
    package static let isReply = false
    package static let keepDependenciesFlag: UInt8 = 1

    package enum Target: Equatable, Sendable {
        case job(JobID, keepsDependencies: Bool)
        case flow(FlowID)
        case unprocessedDependencies(of: JobID)
    }

    package var sequence: UInt64
    package var target: Target

    package init(sequence: UInt64, target: Target) {
        self.sequence = sequence
        self.target = target
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        let (kind, flags, id): (UInt8, UInt8, UInt64) =
            switch target {
            case .job(let id, let keeps): (0, keeps ? Remove.keepDependenciesFlag : 0, id.rawValue)
            case .flow(let id): (1, 0, id.rawValue)
            case .unprocessedDependencies(let id): (2, 0, id.rawValue)
            }
        writer.u8(kind)
        writer.u8(flags)
        writer.u64(id)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let kind = try reader.u8()
        let flags = try reader.u8()
        let id = try reader.u64()
        switch kind {
        case 0: target = .job(JobID(id), keepsDependencies: flags & Remove.keepDependenciesFlag != 0)
        case 1: target = .flow(FlowID(id))
        case 2: target = .unprocessedDependencies(of: JobID(id))
        default:
            throw WireError(
                .invalidOption,
                "\(kind) is nothing to remove; 0 (job), 1 (flow) and 2 (a job's unprocessed dependencies) are."
            )
        }
        let allowed = kind == 0 ? Remove.keepDependenciesFlag : 0
        try WireError.checkFlags(flags, allowed: allowed, "this kind of removal")
    }
}

/// Removes jobs of one queue, and only of that one.
///
///     u64 sequence | str8 queue | u8 kind (0 drain, 1 clean, 2 obliterate)
///     u8 flags (drain: 1 delayed too; obliterate: 1 force) | u8 state | u64 age | u32 limit
package struct Clean: WireMessage {
    package static let opcode = Opcode.clean
    package static let isReply = false
    package static let delayedFlag: UInt8 = 1
    package static let forceFlag: UInt8 = 1

    package enum Kind: Equatable, Sendable {
        /// What waits; what is delayed too, if asked for.
        case drain(delayedToo: Bool)
        /// Jobs that have been in a state for `age` milliseconds, at most `limit` of them; 0: all.
        case clean(JobState, age: UInt64, limit: UInt32)
        /// All jobs, and the queue's settings; leased ones too, if forced.
        case obliterate(force: Bool)
    }

    package var sequence: UInt64
    package var queue: String
    package var kind: Kind

    package init(sequence: UInt64, queue: String, kind: Kind) {
        self.sequence = sequence
        self.queue = queue
        self.kind = kind
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(queue)
        switch kind {
        case .drain(let delayedToo): encode(0, delayedToo ? Clean.delayedFlag : 0, into: &writer)
        case .clean(let state, let age, let limit):
            encode(1, 0, state: state.rawValue, age: age, limit: limit, into: &writer)
        case .obliterate(let force): encode(2, force ? Clean.forceFlag : 0, into: &writer)
        }
    }

    private func encode(
        _ kind: UInt8,
        _ flags: UInt8,
        state: UInt8 = 0,
        age: UInt64 = 0,
        limit: UInt32 = 0,
        into writer: inout WireWriter
    ) {
        writer.u8(kind)
        writer.u8(flags)
        writer.u8(state)
        writer.u64(age)
        writer.u32(limit)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let name = try reader.range8()
        let kind = try reader.u8()
        let flags = try reader.u8()
        let state = try reader.u8()
        let age = try reader.u64()
        let limit = try reader.u32()
        queue = try reader.bytes.queueName(name)
        switch kind {
        case 0: self.kind = .drain(delayedToo: flags & Clean.delayedFlag != 0)
        case 1: self.kind = .clean(try Clean.state(state), age: age, limit: limit)
        case 2: self.kind = .obliterate(force: flags & Clean.forceFlag != 0)
        default:
            throw WireError(.invalidOption, "\(kind) is no way to clean; 0 (drain), 1 (clean) and 2 (obliterate) are.")
        }
        try WireError.checkFlags(flags, allowed: kind == 1 ? 0 : 1, "this way to clean")
        guard kind == 1 || state == 0 && age == 0 && limit == 0 else {
            throw WireError(.invalidOption, "Only a clean (1) has a state, an age or a limit.")
        }
        guard age <= Limits.delayMillisecondsMax else {
            throw WireError(
                .invalidOption,
                "Jobs older than \(age) ms; at most \(Limits.delayMillisecondsMax) is allowed."
            )
        }
    }

    private static func state(_ raw: UInt8) throws(WireError) -> JobState {
        guard let state = JobState(rawValue: raw), state != .active else {
            throw WireError(.invalidOption, "Jobs of state \(raw) can't be cleaned; 0 to 6, but 3 (active), can.")
        }
        return state
    }
}

/// How many jobs a command reached: the outcome of ``Cancel``, ``Retry``, ``Remove`` and ``Clean``.
///
///     u32 jobs
package struct CountOutcome: Equatable, Sendable {
    package var jobs: UInt32

    package init(jobs: UInt32) { self.jobs = jobs }
    package func encode(into writer: inout WireWriter) { writer.u32(jobs) }
    package init(from reader: inout WireReader) throws(WireError) { jobs = try reader.u32() }
}
