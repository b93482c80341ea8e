/// The number of a message; a reply has its request's, with ``FrameFlags/reply`` set.
package enum Opcode: UInt8, Sendable, CaseIterable {
    // Connection and session.
    case hello = 0x01
    case heartbeat = 0x02
    case hold = 0x03
    case goodbye = 0x04

    // Durable commands: numbered by the session, answered by APPLIED.
    case add = 0x10
    case complete = 0x11
    case fail = 0x12
    case addHeld = 0x14
    case move = 0x15
    case stage = 0x16
    case report = 0x17
    case cancel = 0x50
    case retry = 0x51
    case finish = 0x52
    case resolve = 0x53
    case remove = 0x54
    case clean = 0x55
    case setScheduler = 0x56
    case removeScheduler = 0x57
    case setQueue = 0x58
    case update = 0x59
    case promote = 0x5a
    case clearLogs = 0x5b
    case removeDeduplication = 0x5c
    case setGroup = 0x5d

    // Lease side.
    case release = 0x13
    case subscribe = 0x20
    case credit = 0x21
    case unsubscribe = 0x22
    case debit = 0x23
    case started = 0x24

    // Sent by the server unasked.
    case deliver = 0x30
    case revoked = 0x31
    case applied = 0x32
    case events = 0x33
    case recall = 0x34

    // Reads.
    case getJob = 0x40
    case getDependencies = 0x41
    case countDependencies = 0x42
    case getDependents = 0x43
    case getFlow = 0x44
    case getFlowNodes = 0x45
    case getFlowEdges = 0x46
    case wait = 0x47
    case getQueue = 0x48
    case getServer = 0x49
    case getTree = 0x4a
    case listFlows = 0x4b
    case getSchedulers = 0x4c
    case getJobs = 0x4d
    case listQueues = 0x4e
    case getPriorities = 0x4f
    case getLogs = 0x60
    case getAttempts = 0x61
    case getWorkers = 0x62
    case getDeduplication = 0x63
    case getGroups = 0x64
    case getNextRuns = 0x65

    // Events.
    case listen = 0x70
    case unlisten = 0x71

    /// True for the commands that carry a sequence number and change what is stored.
    package var isDurable: Bool {
        switch self {
        case .add, .complete, .fail, .addHeld, .move, .stage, .cancel, .retry, .finish, .resolve, .remove, .clean,
            .setScheduler, .removeScheduler, .report, .update, .clearLogs, .setQueue, .setGroup, .promote,
            .removeDeduplication:
            true
        default: false
        }
    }

    /// True for the commands that hold an ADD body: their frames count in the add window.
    package var carriesAdd: Bool {
        switch self {
        case .add, .addHeld, .stage, .setScheduler: true
        default: false
        }
    }
}

/// The bits of a frame's flags field.
package struct FrameFlags: OptionSet, Sendable, Equatable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// This frame answers the request with the same opcode and correlation id.
    package static let reply = FrameFlags(rawValue: 1 << 0)
    /// The status field holds an ``ErrorCode``, and the body is an ``ErrorBody``.
    package static let error = FrameFlags(rawValue: 1 << 1)
    /// Further frames with the same correlation id belong to this one.
    package static let more = FrameFlags(rawValue: 1 << 2)
    /// The sender wants no reply unless it is an error.
    package static let quiet = FrameFlags(rawValue: 1 << 3)

    /// Every bit that has a meaning; any other makes the header a bad one.
    package static let known: FrameFlags = [.reply, .error, .more, .quiet]
}
