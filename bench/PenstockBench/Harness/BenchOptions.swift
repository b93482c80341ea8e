internal import ArgumentParser
internal import BenchSupport
internal import Foundation
internal import PenstockWire

/// The options that every benchmark takes.
struct BenchOptions: ParsableArguments {
    @Option(help: "Jobs of each run; every benchmark has its own default.")
    var jobs: Int?

    @Option(help: "Runs, of which the median is reported.")
    var runs: Int?

    @Option(help: "Deliveries or requests that are kept open.")
    var outstanding: Int?

    @Option(help: "Bytes of each job's data.")
    var payload = 200

    @Option(help: "The directory below which data goes, on a disk: in memory, durability costs nothing.")
    var data = FileManager.default.currentDirectoryPath

    @Option(help: "A running server, HOST:PORT or unix:PATH; without it, each run starts one of its own.")
    var server: String?

    @Option(help: "Hold client and server, and the echo floor, to cores: none, split (0 and 1) or one (both on 0).")
    var pin = Pinning.none

    @Flag(help: "The smallest form: a few seconds, no figures to rely on.")
    var quick = false

    @Flag(help: "One JSON object on standard output, everything else on standard error.")
    var json = false

    func validate() throws {
        for (name, value) in [("--jobs", jobs), ("--runs", runs), ("--outstanding", outstanding)] {
            if let value, value < 1 { throw ValidationError("\(name) must be at least 1.") }
        }
        guard (0...Limits.payloadBytesMax / 1024).contains(payload) else {
            throw ValidationError("--payload must be 0 to \(Limits.payloadBytesMax / 1024).")
        }
        if let server, ServerAddress(server) == nil {
            throw ValidationError("--server must be HOST:PORT or unix:PATH.")
        }
    }

    var output: Output { Output(json: json) }

    /// The workload with a benchmark's own defaults.
    ///
    /// - Parameter jobsQuick: its jobs in the smallest form.
    func workload(jobs jobsDefault: Int, jobsQuick: Int, outstanding outstandingDefault: Int) -> Workload {
        Workload(
            jobs: jobs ?? (quick ? jobsQuick : jobsDefault),
            runs: runs ?? (quick ? 1 : 5),
            outstanding: outstanding ?? outstandingDefault,
            payloadBytes: payload,
            parent: data,
            server: server.flatMap(ServerAddress.init),
            pinning: pin,
            floorJobs: quick ? 10_000 : 100_000,
            echoRounds: quick ? 2000 : 20_000
        )
    }
}
