import Foundation
import PenstockWire
import Testing

extension CrashTests {
    /// LMDB writes pages with pwrite64 or pwritev, flushes them with fdatasync, and then writes the page that makes
    /// them valid with pwrite64.
    private static let faultRounds = 6

    private static func run(
        _ calls: [String],
        fault: String,
        when: ClosedRange<Int> = 2...40,
        seed: UInt64
    ) async throws -> CrashRun.Report? {
        if let reason = Nemesis.withoutStrace {
            print("crash: skipped: \(reason)")
            return nil
        }
        let report = try await Threads.run {
            var random = SplitMix(seed: seed)
            return try CrashRun.run(
                seed: seed,
                // The first round makes the directory and some work.
                [.kill(after: 100)]
                    + (0..<faultRounds).map { round in
                        let when = round == 0 ? 1 : Int.random(in: when, using: &random)
                        return .systemCall(calls[round % calls.count], fault: fault, when: when)
                    }
            )
        }
        CrashTests.show(report, seed: seed)
        return report
    }

    @Test func `a kill at any flush or write of a commit loses nothing`() async throws {
        guard let report = try await Self.run(["fdatasync", "pwrite64"], fault: "signal=KILL", seed: 7) else { return }
        #expect(report.violations.isEmpty)
        #expect(report.untouched < Self.faultRounds)
    }

    /// The writer wakes the loop with a write, and the loop answers with one.
    @Test func `a kill between a commit and its answers neither loses nor doubles anything`() async throws {
        guard let report = try await Self.run(["write"], fault: "signal=KILL", when: 40...150, seed: 11) else { return }
        #expect(report.violations.isEmpty)
        #expect(report.untouched < Self.faultRounds)
    }

    /// With one client and one command at a time, the loop's writes are answers.
    @Test func `an add whose answer was never sent is there, and is not added again`() async throws {
        if let reason = Nemesis.withoutStrace { return print("crash: skipped: \(reason)") }
        let violations = try await Threads.run {
            let directory = try CrashDirectory()
            let journal = Journal(clients: 1)
            let client = SessionClient(index: 0, journal: journal, seed: 1)
            let fault = Nemesis.systemCall("write", fault: "signal=KILL", when: 30)
            let doomed = try ServerProcess(directory, wrapper: fault.wrapper)
            try client.connect(port: doomed.port)
            do {
                for _ in 0..<100 {
                    try client.addJob()
                    while !client.pending.isEmpty { try client.pump(milliseconds: 100) }
                }
            } catch CrashError.disconnected {}
            client.disconnect()
            let before = journal.ledger
            guard client.pending.count == 1 else { return ["the server was not killed, or not in time"] }

            let server = try ServerProcess(directory)
            let jobs = (1...UInt64(before.commands[0].count) + 1).map { JobID($0) }
            let seen = try Observation(moment: .beforeResume, of: jobs, on: server)
            try client.connect(port: server.port)
            while !client.pending.isEmpty { try client.pump(milliseconds: 100) }
            let after = journal.ledger
            let isThere = seen.jobs.values.count { $0 != nil } == before.commands[0].count
            return Checker.check(before, seen) + Checker.checkSightings(before: before, seen, after: after)
                + Checker.check(after, try Observation(moment: .settled, of: jobs, on: server))
                + (isThere ? [] : ["the add was not there"])
        }
        #expect(violations == [])
    }

    @Test func `a failed flush ends the server with code 74, and nobody was told of what it did not keep`() async throws
    {
        guard let report = try await Self.run(["fdatasync"], fault: "error=EIO", seed: 8) else { return }
        #expect(report.violations.isEmpty)
        #expect(report.untouched < Self.faultRounds)
    }

    @Test func `a failed write of a commit ends the server with code 74, and nothing is half there`() async throws {
        guard let report = try await Self.run(["pwrite64"], fault: "error=EIO", seed: 9) else { return }
        #expect(report.violations.isEmpty)
        #expect(report.untouched < Self.faultRounds)
    }

    /// A data page that finds no room refuses the adds of its batch, and the server goes on; where the page that makes
    /// a commit valid finds none, the outcome is unknown, and the server ends.
    @Test func `a write that finds no room loses nothing`() async throws {
        guard let report = try await Self.run(["pwrite64"], fault: "error=ENOSPC", seed: 12) else { return }
        #expect(report.violations.isEmpty)
    }

    /// What a kill can't show, since the page cache outlives the process.
    @Test(arguments: ["fsync", "none"])
    func `a server flushes before it answers, and one with durability none does not`(durability: String) async throws {
        if let reason = Nemesis.withoutStrace { return print("crash: skipped: \(reason)") }
        let adds = 40
        let (flushes, log) = try await Threads.run {
            let directory = try CrashDirectory()
            let trace = directory.path + "/trace"
            let server = try ServerProcess(
                directory,
                wrapper: [
                    "strace", "-f", "-qq", "-o", trace, "-e", "trace=fdatasync,fsync,msync", "-e", "signal=none",
                ],
                options: ["--durability", durability]
            )
            let journal = Journal(clients: 1)
            let client = SessionClient(index: 0, journal: journal, seed: 1)
            try client.connect(port: server.port)
            let before = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").count
            for _ in 0..<adds {
                try client.addJob()
                while !client.pending.isEmpty { try client.pump(milliseconds: 100) }
            }
            server.kill()
            let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").count
            return (lines - before, journal.ledger.violations)
        }
        #expect(log.isEmpty)
        if durability == "fsync" { #expect(flushes >= adds) } else { #expect(flushes < adds / 2) }
    }
}
