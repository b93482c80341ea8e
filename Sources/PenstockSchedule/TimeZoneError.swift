/// Why there are no rules for a time zone.
package enum TimeZoneError: Error, Equatable, Sendable {
    /// A name that no zone can have.
    case invalidName(String)
    /// An offset that is not written as `+02:00`, or too large.
    case invalidOffset(String)
    /// A name for which there is no file.
    case unknown(String, directory: String)
    /// The zone's file is there and can't be read.
    case unreadable(String, reason: String)
    /// The zone's file is not what RFC 8536 describes, or uses what is not supported.
    case damaged(String, reason: String)
}

extension TimeZoneError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidName(let name) where name.utf8.count > ScheduleLimits.zoneBytesMax:
            "A time zone of \(name.utf8.count) bytes; at most \(ScheduleLimits.zoneBytesMax) are allowed."
        case .invalidName(let name):
            "time zone \(quoted(name)): a name like Europe/Berlin, UTC, or an offset like +02:00 is allowed."
        case .invalidOffset(let name):
            "time zone \(quoted(name)): offsets of -18:00 to +18:00, with hours and minutes of two digits, are allowed."
        case .unknown(let name, let directory):
            "time zone \(quoted(name)): there is no such zone in \(directory), the directory of tzdata."
        case .unreadable(let name, let reason):
            "time zone \(quoted(name)): its file can't be read: \(reason)."
        case .damaged(let name, let reason):
            "time zone \(quoted(name)): its file is not usable: \(reason)."
        }
    }
}
