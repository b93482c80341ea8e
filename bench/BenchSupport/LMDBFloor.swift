internal import CFloors
internal import Foundation

/// The least that the writes of jobs and flows cost on LMDB alone, on this machine.
///
/// Each measurement makes a database of its own in a temporary directory below `parent`, and removes it. A run takes a
/// fraction of a second, so take the median of several.
package struct LMDBFloor: Sendable {
    /// How LMDB is called: the floor is the faster, `cursors`.
    package enum Style: Sendable, CaseIterable {
        case cursors
        case puts
    }

    package struct Result: Sendable {
        /// Jobs or flows.
        package let operations: UInt64
        package let commits: UInt64
        package let seconds: Double

        package var perSecond: Double { Double(operations) / seconds }
    }

    package struct FlowResult: Sendable {
        /// Flows added.
        package let add: Result
        /// Jobs completed through to the parents, these included; the adds' time is not in it.
        package let through: Result
    }

    package struct CommitLatency: Sendable {
        /// Microseconds.
        package let p50: Double
        /// Microseconds.
        package let p99: Double
    }

    /// The directory below which the databases are made: on the disk that the server uses, never in memory.
    package var parent: String
    package var payloadBytes = 200
    /// Jobs for each synced commit.
    package var batch: UInt64 = 1000
    package var style = Style.cursors

    package init(parent: String) {
        self.parent = parent
    }

    /// Adds jobs; operations are jobs.
    package func add(jobs: UInt64 = 100_000) throws -> Result {
        try inDirectory { directory in
            try result(unsafe floors_lmdb_add(directory, jobs, batch, payloadBytes, style.native), of: "LMDB add")
        }
    }

    /// Completes jobs that it added before, unmeasured; operations are jobs.
    package func complete(jobs: UInt64 = 100_000) throws -> Result {
        try inDirectory { directory in
            try result(
                unsafe floors_lmdb_complete(directory, jobs, batch, payloadBytes, style.native),
                of: "LMDB complete"
            )
        }
    }

    /// Adds flows of one parent and `children` children, then completes all of their jobs.
    package func flow(flows: UInt64 = 10_000, children: UInt32 = 10) throws -> FlowResult {
        try inDirectory { directory in
            let native = unsafe floors_lmdb_flow(directory, flows, children, batch, payloadBytes, style.native)
            return FlowResult(
                add: try result(native.add, of: "LMDB flow add"),
                through: try result(native.through, of: "LMDB flow completion")
            )
        }
    }

    /// The time of a commit with one add.
    package func commitLatency(commits: UInt64 = 1000) throws -> CommitLatency {
        try inDirectory { directory in
            let native = unsafe floors_lmdb_commit_latency(directory, commits, payloadBytes, style.native)
            try check(native.error, of: "LMDB commit")
            return CommitLatency(p50: native.p50_us, p99: native.p99_us)
        }
    }

    private func inDirectory<Measured>(_ measure: (String) throws -> Measured) throws -> Measured {
        let directory = URL(filePath: parent).appending(path: "lmdb-floor-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try measure(directory.path)
    }

    private func result(_ native: floors_result, of floor: String) throws -> Result {
        try check(native.error, of: floor)
        return Result(operations: native.ops, commits: native.commits, seconds: native.seconds)
    }

    private func check(_ code: Int32, of floor: String) throws(FloorFailure) {
        guard code != 0 else { return }
        throw FloorFailure(floor: floor, code: code, message: unsafe String(cString: floors_lmdb_message(code)))
    }
}

extension LMDBFloor.Style {
    fileprivate var native: floors_style {
        switch self {
        case .cursors: FLOORS_CURSORS
        case .puts: FLOORS_PUTS
        }
    }
}
