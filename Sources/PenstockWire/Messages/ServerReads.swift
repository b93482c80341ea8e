/// Asks what server this is and what it has done; answered by ``ServerView``.
///
/// No body.
package struct GetServer: WireMessage {
    package static let opcode = Opcode.getServer
    package static let isReply = false
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

/// What a server is and has done since it started.
///
///     str8 version | str8 durability | u64 u64 database | u64 epoch | u64 commit | u64 commits | u64 commands
///     u64 uptime | u32 connections | u32 leases | u64 usedBytes | u32 processID
package struct ServerView: WireMessage {
    package static let opcode = Opcode.getServer
    package static let isReply = true

    package var version = ""
    /// "fsync" or "none": what an acknowledgement is worth.
    package var durability = ""
    package var database = SessionID(high: 0, low: 0)
    package var epoch: UInt64 = 0
    /// The last commit's number.
    package var commit: UInt64 = 0
    /// Batches committed since the start, and the commands in them.
    package var commits: UInt64 = 0
    package var commands: UInt64 = 0
    /// Milliseconds.
    package var uptime: UInt64 = 0
    package var connections: UInt32 = 0
    package var leases: UInt32 = 0
    /// Bytes of the database's pages in use.
    package var usedBytes: UInt64 = 0
    package var processID: UInt32 = 0

    package init() {}

    package func encode(into writer: inout WireWriter) {
        writer.string8(version)
        writer.string8(durability)
        writer.sessionID(database)
        writer.u64(epoch)
        writer.u64(commit)
        writer.u64(commits)
        writer.u64(commands)
        writer.u64(uptime)
        writer.u32(connections)
        writer.u32(leases)
        writer.u64(usedBytes)
        writer.u32(processID)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        version = try reader.string8("version")
        durability = try reader.string8("durability")
        database = try reader.sessionID()
        epoch = try reader.u64()
        commit = try reader.u64()
        commits = try reader.u64()
        commands = try reader.u64()
        uptime = try reader.u64()
        connections = try reader.u32()
        leases = try reader.u32()
        usedBytes = try reader.u64()
        processID = try reader.u32()
        _ = try reader.range(reader.remaining)
    }
}
