import Penstock
import PenstockTesting
import TestSupport
import Testing

/// The command line, run as a process of its own.
@Suite(.inTurns) struct `The command line` {
    private func penstock(_ server: TestServer, _ arguments: String...) async throws -> (String, String, Int32) {
        try await penstock(port: server.port, arguments)
    }

    private func penstock(port: Int, _ arguments: [String]) async throws -> (String, String, Int32) {
        let process = try ChildProcess("penstock", [arguments[0], "--port", "\(port)"] + arguments.dropFirst())
        return await process.end()
    }

    @Test func `submit prints the id of the job in one line, and status shows the job and its result`() async throws {
        try await withPenstock { server, client in
            let (id, errors, code) = try await penstock(server, "submit", "q", "double", "--data", "21")
            #expect((errors, code) == ("", 0))
            let job = try #require(JobID(id.trimmingSuffix { $0 == "\n" }.description))
            let open = try await penstock(server, "status", "\(job)", "--show-result")
            #expect(open.0.contains("state: waiting\n") && open.0.contains("result: none yet\n"))
            try await client.processNext(from: ["q"], within: .seconds(20)) { (job: Job<Int>) in job.data * 2 }
            let done = try await penstock(server, "status", "\(job)", "--show-result")
            #expect(done.0.contains("state: completed\n") && done.0.contains("result: 42\n"))
            let short = try await penstock(server, "status", "\(job)")
            #expect(!short.0.contains("result"))
        }
    }

    @Test func `an unknown id, bad data and a server that is not there are errors of one line`() async throws {
        try await withPenstock { server, _ in
            let unknown = try await penstock(server, "status", "999")
            #expect((unknown.0, unknown.2) == ("", 1))
            #expect(unknown.1.hasPrefix("penstock: ") && unknown.1.count { $0 == "\n" } == 1)
            let data = try await penstock(server, "submit", "q", "n", "--data", "{")
            #expect(data.2 == 1 && data.1.count { $0 == "\n" } == 1)
            let port = server.port
            server.stop()
            let away = try await penstock(port: port, ["stats", "q", "--timeout", "1"])
            #expect(away.2 == 1 && away.1.count { $0 == "\n" } == 1)
        }
    }

    @Test func `stats is a table of all states and their total`() async throws {
        try await withPenstock { server, client in
            try await Queue("mail", client).addBulk([
                NewJob("a"), NewJob("b"), NewJob("c", options: .init(delay: .seconds(60))),
            ])
            let (table, _, code) = try await penstock(server, "stats", "mail")
            let rows = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(code == 0)
            let states = ["waiting", "delayed", "waiting-children", "active", "completed", "failed", "cancelled"]
            #expect(rows == [["queue"] + states + ["total"], ["mail", "2", "1", "0", "0", "0", "0", "0", "3"]])
        }
    }

    @Test func `flows are listed with their jobs, cancelled and retried`() async throws {
        try await withPenstock { server, client in
            let flow = try await FlowProducer(client).add(
                FlowJob("report", queue: "q") { FlowJob("part", queue: "q") }
            )
            let flows = try await penstock(server, "list")
            #expect(flows.0.contains("report") && flows.0.contains("\(flow.id)"))
            let jobs = try await penstock(server, "list", "--flow", "\(flow.id)")
            #expect(jobs.0.contains("waiting-children") && jobs.0.contains("part"))
            let waiting = try await penstock(server, "list", "--queue", "q", "--state", "waiting")
            #expect(waiting.0.contains("part") && !waiting.0.contains("report"))
            let cancel = try await penstock(server, "cancel", "--flow", "\(flow.id)", "--reason", "no")
            #expect(cancel.0 == "2 jobs cancelled\n")
            #expect(try await flow.status().status == .cancelled)
            let retry = try await penstock(server, "retry", "--queue", "q")
            #expect(retry.0 == "2 jobs run again\n" && retry.2 == 0)
            let none = try await penstock(server, "retry")
            #expect(none.2 == 64)
            let one = try await penstock(server, "list", "--flow", "\(flow.id)", "--limit", "1")
            #expect(one.0.count { $0 == "\n" } == 2)
        }
    }
}

extension `The command line` {
    @Test(arguments: [
        ["--flow", "1", "--queue", "q"], ["--state", "failed"], ["--flow", "1", "--state", "failed"],
        ["--queue", "q", "--name", "n"], ["--flow", "1", "--name", "n"],
    ])
    func `a list refuses options that mean nothing for it`(options: [String]) async throws {
        let (output, errors, code) = try await penstock(port: 1, ["list"] + options)
        #expect((output, code) == ("", 64))
        #expect(errors.contains("--"))
    }
}

extension String {
    /// The text without the characters at its end for which a predicate holds.
    fileprivate func trimmingSuffix(while isCut: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, isCut(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
