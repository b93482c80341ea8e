/// The sixteen bytes before every body.
///
///     offset  0        4       5      6       8            12       16
///             | length | opcode | flags | status | correlation | stream | body ...
///               u32      u8       u8      u16      u32           u32
///
/// All integers of the protocol are little-endian. `length` counts the bytes
/// that follow it: twelve of the header, and the body.
package struct FrameHeader: Equatable, Sendable {
    /// Bytes of the header.
    package static let byteCount = 16
    /// Bytes of the length field, which does not count itself.
    package static let lengthBytes = 4

    /// The opcode as received: it need not be a known ``Opcode``.
    package var opcode: UInt8
    package var flags: FrameFlags
    /// An ``ErrorCode`` where ``FrameFlags/error`` is set, else 0.
    package var status: UInt16
    /// The client's number of a request, echoed in its reply.
    package var correlation: UInt32
    /// The client's number of a subscription; 0 where none is meant.
    package var stream: UInt32

    package init(
        _ opcode: Opcode,
        flags: FrameFlags = [],
        status: ErrorCode = .ok,
        correlation: UInt32 = 0,
        stream: UInt32 = 0
    ) {
        self.opcode = opcode.rawValue
        self.flags = flags
        self.status = status.rawValue
        self.correlation = correlation
        self.stream = stream
    }

    /// Reads what follows the length field.
    package init(from reader: inout WireReader) throws(WireError) {
        opcode = try reader.u8()
        flags = FrameFlags(rawValue: try reader.u8())
        status = try reader.u16()
        correlation = try reader.u32()
        stream = try reader.u32()
        if !flags.isSubset(of: .known) {
            throw WireError(.badHeader, "The header sets unknown flags: \(flags.rawValue).")
        }
    }
}
