internal import Foundation

/// The CPU time and the memory of a process, as `/proc/<pid>/stat` tells them at one moment.
///
///     let before = try ProcessUsage(pid: server)
///     // ... the measured part ...
///     let used = try ProcessUsage(pid: server).cpuTime - before.cpuTime
///
/// The kernel counts in ticks of 10 ms: measure parts of a second or more.
package struct ProcessUsage: Equatable, Sendable {
    /// User and system time since the process began, all threads, ended ones included.
    package let cpuTime: Duration
    /// Physical memory in bytes; of a server on LMDB it includes the map's pages that it has touched.
    package let residentBytes: Int

    package enum Failure: Error, Equatable {
        case unreadable(pid: Int32)
        case malformed(pid: Int32)
    }

    package init(pid: Int32) throws(Failure) {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
            throw .unreadable(pid: pid)
        }
        guard let usage = Self(stat: stat) else { throw .malformed(pid: pid) }
        self = usage
    }

    /// Of this process.
    package static func current() throws(Failure) -> ProcessUsage {
        try ProcessUsage(pid: ProcessInfo.processInfo.processIdentifier)
    }

    /// Reads the text of a stat file; nil where it is not one. The command stands in parentheses and may hold spaces
    /// and parentheses itself, so fields are counted from the last one: proc(5) numbers utime 14, stime 15, rss 24.
    init?(stat: String) {
        guard let command = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: command)...].split(whereSeparator: \.isWhitespace)
        let firstField = 3
        guard fields.count > 24 - firstField,
            let userTicks = Int64(fields[14 - firstField]),
            let systemTicks = Int64(fields[15 - firstField]),
            let residentPages = Int(fields[24 - firstField])
        else { return nil }
        let ticksPerSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        cpuTime = .nanoseconds((userTicks + systemTicks) * (1_000_000_000 / ticksPerSecond))
        residentBytes = residentPages * sysconf(Int32(_SC_PAGESIZE))
    }
}
