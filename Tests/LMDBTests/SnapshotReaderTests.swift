import LMDB
import TestSupport
import Testing

@Suite(.computing) struct SnapshotReaderTests {
    let directory = TemporaryDirectory()
    let environment: Environment
    let jobs: Table<UInt64>

    init() throws {
        environment = try directory.open { $0.readersMax = 3 }
        jobs = environment.table("jobs")
    }

    @Test func `a snapshot does not see later commits, the next one does`() throws {
        let reader = try SnapshotReader(environment)
        try environment.write { transaction throws(LMDBError) in try transaction.put("old", for: 1, in: jobs) }
        do {
            let snapshot = try reader.begin()
            try environment.write { transaction throws(LMDBError) in try transaction.put("new", for: 1, in: jobs) }
            let seen = try snapshot.text(1, in: jobs)
            #expect(seen == "old")
            #expect(snapshot.id == environment.lastCommittedID - 1)
        }
        let snapshot = try reader.begin()
        let seen = try snapshot.text(1, in: jobs)
        #expect(seen == "new")
        #expect(snapshot.id == environment.lastCommittedID)
    }

    @Test func `a value stays as it was while others commit and reuse pages`() throws {
        let reader = try SnapshotReader(environment)
        let text = String(repeating: "v", count: 1_000)
        try environment.write { transaction throws(LMDBError) in try transaction.put(text, for: 1, in: jobs) }
        let snapshot = try reader.begin()
        guard let value = try snapshot.get(1, in: jobs) else {
            Issue.record("the value is not there")
            return
        }
        for round in 0..<50 {
            try environment.write { transaction throws(LMDBError) in
                for key in 0..<50 as Range<UInt64> {
                    try transaction.put(String(repeating: "\(round % 10)", count: 1_000), for: key, in: jobs)
                }
            }
        }
        let seen = String(value)
        #expect(seen == text)
    }

    @Test func `a reader begins a thousand snapshots, each of the last commit`() throws {
        let reader = try SnapshotReader(environment)
        for round in 0..<1_000 as Range<UInt64> {
            try environment.write { transaction throws(LMDBError) in
                try transaction.put("\(round)", for: round, in: jobs)
            }
            let snapshot = try reader.begin()
            let seen = try snapshot.text(round, in: jobs)
            let count = try snapshot.count(jobs)
            #expect(seen == "\(round)")
            #expect(count == Int(round) + 1)
        }
    }

    @Test func `more readers than slots are refused, and a slot is free again when its reader is gone`() throws {
        do {
            let readers = try (0..<3).map { _ in try SnapshotReader(environment) }
            let refused = code { () throws(LMDBError) in _ = try SnapshotReader(environment) }
            #expect(refused == .readersFull)
            #expect(readers.count == 3)
        }
        _ = try SnapshotReader(environment)
        #expect(try environment.checkReaders() == 0)
    }

    @Test func `a reader reads on its thread while another writes`() async throws {
        let environment = environment
        let jobs = jobs
        async let written: Void = {
            for round in 0..<500 as Range<UInt64> {
                try environment.write { transaction throws(LMDBError) in
                    try transaction.put("\(round)", for: 1, in: jobs)
                    try transaction.put("\(round)", for: 2, in: jobs)
                }
            }
        }()
        let reader = try SnapshotReader(environment)
        for _ in 0..<2_000 {
            let snapshot = try reader.begin()
            let first = try snapshot.text(1, in: jobs)
            let second = try snapshot.text(2, in: jobs)
            #expect(first == second)
        }
        try await written
    }
}
