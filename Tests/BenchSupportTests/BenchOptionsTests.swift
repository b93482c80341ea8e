import ArgumentParser
import Testing

@testable import PenstockBench

struct BenchOptionsTests {
    private func workload(_ arguments: String...) throws -> Workload {
        try BenchOptions.parse(arguments).workload(jobs: 1000, jobsQuick: 10, outstanding: 64)
    }

    @Test func `a benchmark's defaults hold where nothing is given`() throws {
        let workload = try workload()
        #expect(workload.jobs == 1000 && workload.runs == 5 && workload.outstanding == 64)
        #expect(workload.payloadBytes == 200 && workload.server == nil && workload.pinning == .none)
    }

    @Test func `the smallest form gives way to what is given`() throws {
        let quick = try workload("--quick")
        #expect(quick.jobs == 10 && quick.runs == 1)
        let given = try workload("--quick", "--jobs", "20", "--runs", "2")
        #expect(given.jobs == 20 && given.runs == 2)
    }

    @Test(arguments: [
        ["--jobs", "0"], ["--runs", "-1"], ["--outstanding", "0"], ["--payload", "-1"], ["--payload", "1000000"],
        ["--server", "nowhere"], ["--pin", "two"],
    ]) func `nonsense is refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try BenchOptions.parse(arguments) }
    }

    @Test func `every subcommand is found by its name`() throws {
        for name in ["dequeue", "latency", "add", "bulk", "flow", "sdk", "fanin", "growth", "cascade", "floors", "all"]
        {
            #expect(throws: Never.self) { try PenstockBench.parseAsRoot([name, "--quick", "--json"]) }
        }
    }

    @Test func `a benchmark among all has its own options at their defaults`() throws {
        let options = try BenchOptions.parse([])
        #expect(!DequeueBench(options: options).freshOnly)
        #expect(BulkBench(options: options).perFrame == 1000)
    }

    @Test func `sizes grow by tens, each once`() throws {
        let full = try BenchOptions.parse([])
        #expect(
            GrowthSeries.sizes(full.workload(jobs: 1000, jobsQuick: 100, outstanding: 1), quick: false) == [
                10, 100, 1000,
            ]
        )
        #expect(GrowthSeries.sizes(full.workload(jobs: 10, jobsQuick: 1, outstanding: 1), quick: false) == [2, 10])
        #expect(
            GrowthSeries.sizes(full.workload(jobs: 1000, jobsQuick: 100, outstanding: 1), quick: true) == [100, 1000]
        )
    }

    @Test func `the shapes that growth measures can be chosen`() throws {
        #expect(try GrowthBench.parse(["--shape", "dag", "--shape", "fan-in"]).shape == [.dag, .fanIn])
        #expect(throws: (any Error).self) { try GrowthBench.parse(["--shape", "star"]) }
    }

    @Test func `frames of more jobs than fit are refused`() {
        #expect(throws: (any Error).self) { try BulkBench.parse(["--per-frame", "10001"]) }
        #expect(throws: (any Error).self) { try BulkBench.parse(["--per-frame", "3000", "--payload", "1000"]) }
        #expect(throws: Never.self) { try BulkBench.parse(["--per-frame", "9000"]) }
    }
}

struct ServerAddressTests {
    @Test func `addresses are read as they are written`() {
        #expect(ServerAddress("127.0.0.1:7000") == .tcp(host: "127.0.0.1", port: 7000))
        #expect(ServerAddress("[::1]:7000") == .tcp(host: "::1", port: 7000))
        #expect(ServerAddress("unix:/run/p.sock") == .unix(path: "/run/p.sock"))
    }

    @Test(arguments: ["", "7000", ":7000", "host:", "host:0", "host:65536", "host:x", "unix:", "[]:1"])
    func `anything else is none`(text: String) {
        #expect(ServerAddress(text) == nil)
    }
}
