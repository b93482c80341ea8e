import LMDB
import TestSupport
import Testing

@Suite(.computing) struct NestedTransactionTests {
    let directory = TemporaryDirectory()
    let environment: Environment
    let jobs: Table<UInt64>

    init() throws {
        environment = try directory.open(["jobs", "other"])
        jobs = environment.table("jobs")
    }

    @Test func `an aborted nested transaction keeps what the outer one did`() throws {
        var outer = try environment.beginWrite()
        try outer.put("one", for: 1, in: jobs)
        do {
            var inner = try outer.beginNested()
            let seen = try inner.text(1, in: jobs)
            #expect(seen == "one")
            try inner.put("changed", for: 1, in: jobs)
            try inner.put("two", for: 2, in: jobs)
        }
        let first = try outer.text(1, in: jobs)
        let second = try outer.text(2, in: jobs)
        #expect(first == "one")
        #expect(second == nil)
        try outer.put("three", for: 3, in: jobs)
        try outer.commit()
        let count = try environment.beginWrite().count(jobs)
        #expect(count == 2)
    }

    @Test func `a committed nested transaction is part of the outer one, and goes with it`() throws {
        var outer = try environment.beginWrite()
        var inner = try outer.beginNested()
        try inner.put("two", for: 2, in: jobs)
        try inner.commit()
        let seen = try outer.text(2, in: jobs)
        #expect(seen == "two")
        outer.abort()
        let count = try environment.beginWrite().count(jobs)
        #expect(count == 0)
    }

    @Test func `a table first touched in a nested transaction can be used after it`() throws {
        let other = environment.table("other", keyedBy: UInt64.self)
        var outer = try environment.beginWrite()
        for isCommitted in [true, false] {
            var inner = try outer.beginNested()
            try inner.put("x", for: isCommitted ? 1 : 2, in: other)
            if isCommitted { try inner.commit() } else { inner.abort() }
            let count = try outer.count(other)
            #expect(count == 1)
            let found = try outer.text(1, in: other)
            #expect(found == "x")
        }
    }

    @Test func `transactions nest as deep as the limit`() throws {
        var first = try environment.beginWrite()
        var second = try first.beginNested()
        var third = try second.beginNested()
        var fourth = try third.beginNested()
        var fifth = try fourth.beginNested()
        try fifth.put("deep", for: 5, in: jobs)
        try fifth.commit()
        try fourth.commit()
        try third.commit()
        try second.commit()
        try first.commit()
        let found = try environment.beginWrite().text(5, in: jobs)
        #expect(found == "deep")
    }

    @Test func `an error that poisons a nested transaction leaves the outer one`() throws {
        let directory = TemporaryDirectory()
        let environment = try directory.open { $0.mapSize = 32 * 4_096 }
        let jobs = environment.table("jobs", keyedBy: UInt64.self)
        var outer = try environment.beginWrite()
        try outer.put("one", for: 1, in: jobs)
        do {
            var inner = try outer.beginNested()
            let text = String(repeating: "x", count: 100_000)
            #expect(
                code { () throws(LMDBError) in
                    for key in 2..<5 as Range<UInt64> { try inner.put(text, for: key, in: jobs) }
                } == .mapFull
            )
            #expect(code { () throws(LMDBError) in try inner.put("", for: 9, in: jobs) } == .badTransaction)
        }
        try outer.put("two", for: 2, in: jobs)
        try outer.commit()
        let count = try environment.beginWrite().count(jobs)
        #expect(count == 2)
    }
}
