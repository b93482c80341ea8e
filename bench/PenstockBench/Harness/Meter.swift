internal import BenchSupport
internal import PenstockWire

/// Measures what server and client spend on a part of a run: read before, and again after.
struct Meter {
    private let view: ServerView
    private let server: ProcessUsage?
    private let client: ProcessUsage
    private let machine: MachineUsage

    /// Reads the server's counters and both processes' CPU time.
    init(_ wire: WireClient) throws {
        view = try wire.request(GetServer(), ServerView.self)
        // A server on another machine has no process here.
        server = try? ProcessUsage(pid: Int32(bitPattern: view.processID))
        client = try .current()
        machine = try .current()
    }

    /// What the part took that began with this reading and ends now.
    func end(_ wire: WireClient, jobs: Int, seconds: Double) throws -> RunFigures {
        let after = try Meter(wire)
        let clientCPU = after.client.cpuTime - client.cpuTime
        let serverCPU = server.flatMap { before in after.server.map { $0.cpuTime - before.cpuTime } }
        return RunFigures(
            jobs: jobs,
            seconds: seconds,
            commits: after.view.commits - view.commits,
            serverCPU: serverCPU,
            clientCPU: clientCPU,
            othersCPUShare: after.machine.share(since: machine, without: clientCPU + (serverCPU ?? .zero)),
            serverResidentBytes: after.server?.residentBytes,
            serverAnonymousBytes: after.server?.anonymousBytes,
            version: view.version,
            durability: Durability(rawValue: view.durability) ?? .none
        )
    }
}
