import Foundation
import PenstockWire
import Testing

extension CrashTests {
    @Test func `a full disk refuses adds, takes completions, and is left behind when there is room`() async throws {
        if let reason = SmallDisk.withoutMount { return print("crash: skipped: \(reason)") }
        let violations = try await Threads.run { try DiskFullRun().run() }
        #expect(violations == [])
    }
}

/// One client, on a disk that is filled from outside.
private final class DiskFullRun {
    private let directory: CrashDirectory
    private let disk: SmallDisk
    private let journal = Journal(clients: 1)
    private let client: SessionClient
    private var server: ServerProcess
    private var violations: [String] = []
    /// Commits between two looks of the server at the space that is left, and some more.
    private static let triesMax = 300

    init() throws {
        directory = try CrashDirectory()
        disk = try SmallDisk(at: directory.data, megabytes: 96, log: directory.log)
        server = try ServerProcess(directory, wrapper: disk.wrapper)
        client = SessionClient(index: 0, journal: journal, seed: 1)
    }

    func run() throws -> [String] {
        try client.connect(port: server.port)
        for _ in 0..<60 { expect(try add() == .ok, "an add was refused with room on the disk") }
        try client.subscribe(Producer.queues, jobs: 60)
        while client.held.count < 60 { try client.pump(milliseconds: 100) }

        // Below the server's reserve.
        try disk.fill(leaving: 40 << 20)
        expect(try addUntil(.full), "adds were not refused, with 40 MiB left")
        expect(try complete(20), "completions were refused, with 40 MiB left")
        try disk.makeRoom()
        expect(try addUntil(.ok), "adds were refused, with room on the disk again")

        // To the last byte: completions may have to wait for room, and are not lost.
        try disk.fill(leaving: 0)
        let isDone = try? complete(20)
        if let exit = server.wait(milliseconds: 1) {
            violations.append("on a full disk the server ended with \(exit): \(directory.logTail)")
            try disk.makeRoom()
        } else {
            try disk.makeRoom()
            if isDone != true { expect(try settle(), "completions were not accepted after there was room") }
            expect(try addUntil(.ok), "adds were refused after the disk had been full")
        }

        server.kill()
        server = try ServerProcess(directory, wrapper: disk.wrapper)
        client.disconnect()
        try client.connect(port: server.port)
        expect(try settle(), "commands have no outcome after a restart")
        try check()
        return violations + journal.ledger.violations
    }

    private func expect(_ isRight: Bool, _ violation: String) { if !isRight { violations.append(violation) } }

    private func settle() throws -> Bool {
        let end = Threads.nanoseconds + 10_000_000_000
        while !client.pending.isEmpty && Threads.nanoseconds < end { try client.pump(milliseconds: 50) }
        return client.pending.isEmpty
    }

    /// Adds a job and tells what became of it.
    private func add() throws -> ErrorCode? {
        try client.addJob(padding: 100)
        guard try settle() else { return nil }
        return journal.ledger.commands[0].last?.outcome.flatMap { ErrorCode(rawValue: $0.status) }
    }

    private func addUntil(_ status: ErrorCode) throws -> Bool {
        for _ in 0..<DiskFullRun.triesMax where try add() == status { return true }
        return false
    }

    /// Completes so many of the held jobs; false where not all are accepted in time.
    private func complete(_ count: Int) throws -> Bool {
        let tokens = client.held.filter { !$0.value.isFinishing }.keys.prefix(count)
        let first = journal.ledger.commands[0].count
        try client.finish(tokens.map { .complete($0, result: Array("done".utf8)) })
        let end = Threads.nanoseconds + 2_000_000_000
        while !client.pending.isEmpty && Threads.nanoseconds < end { try client.pump(milliseconds: 50) }
        return journal.ledger.commands[0][first...].allSatisfy { $0.outcome?.isOK == true }
    }

    /// All that was accepted is there, and nothing of what was refused.
    private func check() throws {
        let ledger = journal.ledger
        let index = LedgerIndex(ledger)
        let seen = try Observation(moment: .settled, of: index.created.keys.sorted(), on: server)
        violations += Checker.check(ledger, seen, allowsFull: true)
    }
}
