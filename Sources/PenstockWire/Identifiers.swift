/// The number of a job: given in order by the server, unique in it, never used again. 0 is no job.
package struct JobID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package static let none = JobID(0)
    package static func < (a: JobID, b: JobID) -> Bool { a.rawValue < b.rawValue }
    package var description: String { String(rawValue) }
}

/// The number of a flow, from a counter of its own. 0 is no flow: a job that was added alone.
package struct FlowID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package static let none = FlowID(0)
    package static func < (a: FlowID, b: FlowID) -> Bool { a.rawValue < b.rawValue }
    package var description: String { String(rawValue) }
}

/// The number of a lease: the server's epoch above, a counter below.
///
///     bit 63        40 39                     0
///         |  epoch    |        counter        |
///
/// The epoch is raised durably at every start, so a token of an earlier run is
/// never valid by accident. 0 is no lease.
package struct LeaseToken: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package init(epoch: UInt64, counter: UInt64) {
        precondition(epoch < 1 << 24 && counter < 1 << 40)
        rawValue = epoch << 40 | counter
    }
    package static let none = LeaseToken(0)
    package static func < (a: LeaseToken, b: LeaseToken) -> Bool { a.rawValue < b.rawValue }
    package var description: String { String(rawValue, radix: 16) }
}

/// The name of a session: 128 bits that the client draws at random.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func random() -> SessionID {
        SessionID(high: .random(in: 1 ... .max), low: .random(in: 0 ... .max))
    }

    package var description: String {
        let digits = String(high, radix: 16) + "-" + String(low, radix: 16)
        return digits
    }
}

extension WireReader {
    package mutating func jobID() throws(WireError) -> JobID { JobID(try u64()) }
    package mutating func flowID() throws(WireError) -> FlowID { FlowID(try u64()) }
    package mutating func token() throws(WireError) -> LeaseToken { LeaseToken(try u64()) }
    package mutating func sessionID() throws(WireError) -> SessionID {
        let high = try u64()
        return SessionID(high: high, low: try u64())
    }
}

extension WireWriter {
    package mutating func jobID(_ id: JobID) { u64(id.rawValue) }
    package mutating func flowID(_ id: FlowID) { u64(id.rawValue) }
    package mutating func token(_ token: LeaseToken) { u64(token.rawValue) }
    package mutating func sessionID(_ id: SessionID) {
        u64(id.high)
        u64(id.low)
    }
}
