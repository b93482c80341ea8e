/// The first frame of a connection; its layout never changes.
///
///     u32 magic | u16 versionMin | u16 versionMax | u64 features
///     u64 u64 session | u8 mode | u8 0 | u16 0 | u32 lockDuration | u64 confirmed
///     str8 client | extensions (empty in version 1; a later version reads them)
package struct Hello: WireMessage {
    package static let opcode = Opcode.hello
    package static let isReply = false
    /// "PNSK", as its bytes stand on the wire.
    package static let magic: UInt32 = 0x4B53_4E50
    /// The version that this code speaks.
    package static let version: UInt16 = 1

    package enum Mode: UInt8, Sendable, CaseIterable {
        /// Begin a session; one with this id must not exist.
        case open = 0
        /// Go on with a session that the server knows.
        case resume = 1
    }

    package var versionMin: UInt16
    package var versionMax: UInt16
    /// Wanted features; none is defined in version 1.
    package var features: UInt64
    package var session: SessionID
    package var mode: Mode
    /// The shortest lease that this session will ask for, in milliseconds; 0 for the default. It sets the heartbeat.
    package var lockDuration: UInt32
    /// The highest number below which the client holds every outcome.
    package var confirmed: UInt64
    /// The client's name, for the server's log.
    package var client: String

    package init(
        session: SessionID,
        mode: Mode,
        lockDuration: UInt32 = 0,
        confirmed: UInt64 = 0,
        client: String = "",
        versionMin: UInt16 = Hello.version,
        versionMax: UInt16 = Hello.version,
        features: UInt64 = 0
    ) {
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.features = features
        self.session = session
        self.mode = mode
        self.lockDuration = lockDuration
        self.confirmed = confirmed
        self.client = client
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(Hello.magic)
        writer.u16(versionMin)
        writer.u16(versionMax)
        writer.u64(features)
        writer.sessionID(session)
        writer.u8(mode.rawValue)
        writer.u8(0)
        writer.u16(0)
        writer.u32(lockDuration)
        writer.u64(confirmed)
        writer.string8(client)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let magic = try reader.u32()
        guard magic == Hello.magic else {
            throw WireError(.badMagic, "The first frame does not begin with the protocol's magic, PNSK.")
        }
        versionMin = try reader.u16()
        versionMax = try reader.u16()
        features = try reader.u64()
        session = try reader.sessionID()
        mode = try reader.value(Mode.self, "mode of a session (0 open, 1 resume)")
        _ = try reader.u8()
        _ = try reader.u16()
        lockDuration = try reader.u32()
        confirmed = try reader.u64()
        client = try reader.string8("client name")
        // Extensions of later versions are skipped, so that they can offer them to this one.
        _ = try reader.range(reader.remaining)
    }
}

/// The server's answer to ``Hello``.
///
///     u16 version | u8 resumed | u8 0 | u64 features | u64 u64 database | u64 epoch | u64 lastApplied
///     u32 heartbeat | u32 frameMax | u32 payloadMax | u32 framesInFlight | u32 addWindow
///     u32 pageRows | u32 jobsPerAdd | str8 server
package struct Welcome: WireMessage {
    package static let opcode = Opcode.hello
    package static let isReply = true

    package var version: UInt16 = Hello.version
    package var resumed: Bool
    package var features: UInt64 = 0
    /// The database's id: a session means nothing in another one.
    package var database: SessionID
    package var epoch: UInt64
    /// The session's last command that was applied; send again only what is above it.
    package var lastApplied: UInt64
    /// Milliseconds between two heartbeats, either way.
    package var heartbeat: UInt32
    package var frameBytesMax = UInt32(Limits.frameBytesMax)
    package var payloadBytesMax = UInt32(Limits.payloadBytesMax)
    package var framesInFlightMax = UInt32(Limits.framesInFlightMax)
    package var addWindowBytes = UInt32(Limits.addWindowBytes)
    package var pageRowsMax = UInt32(Limits.pageRowsMax)
    package var jobsPerAddMax = UInt32(Limits.jobsPerAddMax)
    package var server: String

    package init(
        resumed: Bool,
        database: SessionID,
        epoch: UInt64,
        lastApplied: UInt64,
        heartbeat: UInt32,
        server: String
    ) {
        self.resumed = resumed
        self.database = database
        self.epoch = epoch
        self.lastApplied = lastApplied
        self.heartbeat = heartbeat
        self.server = server
    }

    package func encode(into writer: inout WireWriter) {
        writer.u16(version)
        writer.u8(resumed ? 1 : 0)
        writer.u8(0)
        writer.u64(features)
        writer.sessionID(database)
        writer.u64(epoch)
        writer.u64(lastApplied)
        writer.u32(heartbeat)
        writer.u32(frameBytesMax)
        writer.u32(payloadBytesMax)
        writer.u32(framesInFlightMax)
        writer.u32(addWindowBytes)
        writer.u32(pageRowsMax)
        writer.u32(jobsPerAddMax)
        writer.string8(server)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        version = try reader.u16()
        resumed = try reader.u8() != 0
        _ = try reader.u8()
        features = try reader.u64()
        database = try reader.sessionID()
        epoch = try reader.u64()
        lastApplied = try reader.u64()
        heartbeat = try reader.u32()
        frameBytesMax = try reader.u32()
        payloadBytesMax = try reader.u32()
        framesInFlightMax = try reader.u32()
        addWindowBytes = try reader.u32()
        pageRowsMax = try reader.u32()
        jobsPerAddMax = try reader.u32()
        server = try reader.string8("server name")
        _ = try reader.range(reader.remaining)
    }
}
