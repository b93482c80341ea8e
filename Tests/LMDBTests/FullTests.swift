import LMDB
import TestSupport
import Testing

@Suite(.computing) struct FullTests {
    let directory = TemporaryDirectory()

    @Test func `a full map is told as full, nothing of the transaction is there, and the next one works`() throws {
        let environment = try directory.open { $0.mapSize = 64 * 4_096 }
        let jobs = environment.table("jobs", keyedBy: UInt64.self)
        try environment.write { transaction throws(LMDBError) in try transaction.put("first", for: 0, in: jobs) }
        var failure: CommitFailure?
        do {
            try environment.write { transaction throws(LMDBError) in
                for key in 1..<1_000 as Range<UInt64> {
                    try transaction.put(String(repeating: "x", count: 1_000), for: key, in: jobs)
                }
            }
        } catch { failure = environment.classify(error) }
        #expect(failure == .full(LMDBError(.mapFull, in: .put)))
        let count = try environment.beginWrite().count(jobs)
        #expect(count == 1)
        try environment.write { transaction throws(LMDBError) in try transaction.put("second", for: 1, in: jobs) }
        #expect(try environment.accountPages().isBalanced)
    }

    @Test(arguments: [LMDBError.Code.inputOutput, .panic, .corrupted, .badTransaction])
    func `any other error leaves the outcome unknown`(code: LMDBError.Code) throws {
        let environment = try directory.open()
        let error = LMDBError(code, in: .commit)
        #expect(environment.classify(error) == .unknown(error))
    }

    @Test func `a full disk is told as full when the next transaction begins`() throws {
        let environment = try directory.open()
        let error = LMDBError(.noSpace, in: .commit)
        #expect(environment.classify(error) == .full(error))
    }

    @Test func `an error says the call and LMDB's own words`() {
        #expect("\(LMDBError(.mapFull, in: .put))" == "mdb_put: MDB_MAP_FULL: Environment mapsize limit reached")
        #expect("\(LMDBError(.noSpace, in: .commit))" == "mdb_txn_commit: No space left on device")
    }

    @Test func `usage counts what is used, and free pages after a delete`() throws {
        let environment = try directory.open()
        let jobs = environment.table("jobs", keyedBy: UInt64.self)
        let empty = try environment.usage()
        try environment.write { transaction throws(LMDBError) in
            for key in 0..<1_000 as Range<UInt64> {
                try transaction.put(String(repeating: "x", count: 1_000), for: key, in: jobs, options: .append)
            }
        }
        let full = try environment.usage()
        #expect(full.usedBytes > empty.usedBytes + 1_000_000)
        try environment.write { transaction throws(LMDBError) in
            for key in 0..<1_000 as Range<UInt64> { _ = try transaction.delete(key, in: jobs) }
        }
        let emptied = try environment.usage()
        #expect(emptied.pages >= full.pages)
        #expect(emptied.usedPages < empty.usedPages + 10)
        #expect(emptied.commitID == environment.lastCommittedID)
        #expect(emptied.mapPages == 1 << 28)
    }
}
