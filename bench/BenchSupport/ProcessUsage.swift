internal import CFloors
internal import Foundation

/// The CPU time and the memory of a process at one moment.
///
///     let before = try ProcessUsage(pid: server)
///     // ... the measured part ...
///     let used = try ProcessUsage(pid: server).cpuTime - before.cpuTime
package struct ProcessUsage: Equatable, Sendable {
    /// User and system time since the process began, all threads, ended ones included; to the nanosecond.
    package let cpuTime: Duration
    /// Physical memory in bytes; of a server on LMDB it includes the map's pages that it has touched.
    package let residentBytes: Int
    /// Physical memory that belongs to no file: the process's own, without the pages of LMDB's map.
    package let anonymousBytes: Int

    package enum Failure: Error, Equatable {
        case unreadable(pid: Int32)
        case malformed(pid: Int32)
    }

    package init(pid: Int32) throws(Failure) {
        let nanoseconds = floors_process_cpu(pid)
        guard nanoseconds != .max,
            let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        else { throw .unreadable(pid: pid) }
        guard let usage = Self(cpuTime: .nanoseconds(Int64(clamping: nanoseconds)), status: status) else {
            throw .malformed(pid: pid)
        }
        self = usage
    }

    /// Of this process.
    package static func current() throws(Failure) -> ProcessUsage {
        try ProcessUsage(pid: ProcessInfo.processInfo.processIdentifier)
    }

    /// Reads the memory from the text of `/proc/<pid>/status`; nil where it is not one.
    init?(cpuTime: Duration, status: String) {
        func bytes(_ name: String) -> Int? {
            // "VmRSS:      1234 kB"
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }) else {
                return nil
            }
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count == 3, fields[2] == "kB", let kibibytes = Int(fields[1]) else { return nil }
            return kibibytes * 1024
        }
        guard let residentBytes = bytes("VmRSS"), let anonymousBytes = bytes("RssAnon") else { return nil }
        self.cpuTime = cpuTime
        self.residentBytes = residentBytes
        self.anonymousBytes = anonymousBytes
    }
}
