internal import Foundation

/// The CPU time that all processes of the machine together have used, as `/proc/stat` tells it at one moment.
///
///     let before = try MachineUsage.current()
///     // ... the measured part ...
///     let share = try MachineUsage.current().share(since: before, without: ours)
///
/// What others used meanwhile says how far a figure is to be trusted: on a machine with two cores, one that compiles
/// beside the benchmark takes half.
package struct MachineUsage: Equatable, Sendable {
    /// Ticks in which a core worked, or was taken by the machine below a virtual one.
    package let busyTicks: Int64
    /// Ticks of all cores.
    package let ticks: Int64

    package enum Failure: Error, Equatable {
        case malformed
    }

    package static func current() throws -> MachineUsage {
        guard let usage = MachineUsage(stat: try String(contentsOfFile: "/proc/stat", encoding: .utf8)) else {
            throw Failure.malformed
        }
        return usage
    }

    /// Reads the first line: `cpu user nice system idle iowait irq softirq steal ...`.
    init?(stat: String) {
        guard let line = stat.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        let fields = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int64($0) }
        guard fields.count == 8 else { return nil }
        ticks = fields.reduce(0, +)
        busyTicks = ticks - fields[3] - fields[4]
    }

    /// The share of the machine's time, 0 to 1, that went to others than those who used `ours`; nil where no tick passed.
    package func share(since before: MachineUsage, without ours: Duration) -> Double? {
        let passed = ticks - before.ticks
        guard passed > 0 else { return nil }
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let others = Double(busyTicks - before.busyTicks) - ours / .seconds(1) * ticksPerSecond
        return min(max(others / Double(passed), 0), 1)
    }
}
