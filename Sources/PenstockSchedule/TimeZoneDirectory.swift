/// Where the time zones' files are: the directory that `TZDIR` names, or the system's.
///
/// It reads no file itself; whoever asks hands over how.
package struct TimeZoneDirectory: Sendable {
    package let path: String

    /// - Parameter tzdir: the environment's `TZDIR`; nil or empty for the system's directory.
    package init(tzdir: String? = nil) {
        path = if let tzdir, !tzdir.isEmpty { tzdir } else { "/usr/share/zoneinfo" }
    }

    /// The rules of a zone by its name: `UTC`, an offset such as `+02:00`, or one of the IANA's names.
    ///
    /// - Parameter read: the bytes of the file at a path, up to ``ScheduleLimits/zoneFileBytesMax``; nil when there
    ///   is no file.
    package func rules(named name: String, read: (_ path: String) throws -> [UInt8]?) throws(TimeZoneError)
        -> TimeZoneRules
    {
        switch try TimeZoneName(name) {
        case .offset(let seconds):
            return TimeZoneRules(name: name, firstOffset: seconds)
        case .file(let file):
            let bytes: [UInt8]?
            do { bytes = try read("\(path)/\(file)") } catch { throw .unreadable(name, reason: "\(error)") }
            guard let bytes else { throw .unknown(name, directory: path) }
            return try TimeZoneRules(name: name, tzif: bytes)
        }
    }
}
