internal import BenchSupport

/// How large a benchmark is and where it runs.
struct Workload {
    /// In each run.
    var jobs: Int
    var runs: Int
    var outstanding: Int
    var payloadBytes: Int
    /// Where directories for the server and the floors are made: on a disk, as durability is measured.
    var parent: String
    /// A server that runs already; nil: one of our own for each run.
    var server: ServerAddress?
    var pinning: Pinning
    /// Jobs of one run of the LMDB floor: fixed, and less only in the smallest form.
    var floorJobs: UInt64 = 100_000
    var echoRounds = 20_000

    /// The floors of the same payload, on the same disk.
    var lmdbFloor: LMDBFloor {
        var floor = LMDBFloor(parent: parent)
        floor.payloadBytes = payloadBytes
        return floor
    }

    /// The echo, on the cores that server and client are on.
    var echoFloor: EchoFloor { pinning.echoFloor(serverArguments: [EchoServe.name]) }

    /// The floor's jobs as flows of one parent and `children` children.
    func floorFlows(children: Int) -> UInt64 { max(1, floorJobs / UInt64(children + 1)) }
}
