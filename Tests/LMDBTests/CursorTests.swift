import LMDB
import TestSupport
import Testing

@Suite(.computing) struct CursorTests {
    let directory = TemporaryDirectory()
    let environment: Environment
    let jobs: Table<UInt64>

    /// The even numbers below 2000: several pages.
    init() throws {
        environment = try directory.open()
        let jobs = environment.table("jobs", keyedBy: UInt64.self)
        self.jobs = jobs
        try environment.write { transaction throws(LMDBError) in
            for key in 0..<1_000 as Range<UInt64> { try transaction.put("\(key * 2)", for: key * 2, in: jobs) }
        }
    }

    @Test func `a cursor walks forward and back over the same entries`() throws {
        let reader = try SnapshotReader(environment)
        let snapshot = try reader.begin()
        var cursor = try snapshot.cursor(in: jobs)
        var forward: [UInt64] = []
        while let entry = try cursor.next() {
            guard let key = entry.key else { break }
            let text = String(entry.value)
            #expect(text == "\(key)")
            forward.append(key)
        }
        #expect(forward == (0..<1_000).map { $0 * 2 })
        var other = try snapshot.cursor(in: jobs)
        var back: [UInt64] = []
        while let entry = try other.previous() { if let key = entry.key { back.append(key) } }
        #expect(back == forward.reversed())
    }

    @Test func `a cursor goes to the ends and to a key, found or next above`() throws {
        let transaction = try environment.beginWrite()
        var cursor = try transaction.cursor(in: jobs)
        let nowhere = try cursor.current() == nil
        #expect(nowhere)
        let first = try cursor.first()?.key
        let last = try cursor.last()?.key
        let found = try cursor.seek(to: 500)?.key
        let above = try cursor.seek(to: 501)?.key
        let current = try cursor.current()?.key
        let before = try cursor.previous()?.key
        let exact = try cursor.seekExact(to: 700)?.key
        let after = try cursor.next()?.key
        let missing = try cursor.seekExact(to: 701)?.key
        let beyond = try cursor.seek(to: 1_999)?.key
        #expect(first == 0)
        #expect(last == 1_998)
        #expect(found == 500)
        #expect(above == 502)
        #expect(current == 502)
        #expect(before == 500)
        #expect(exact == 700)
        #expect(after == 702)
        #expect(missing == nil)
        #expect(beyond == nil)
    }

    @Test func `an entry stays good when the cursor moves on`() throws {
        let reader = try SnapshotReader(environment)
        let snapshot = try reader.begin()
        var cursor = try snapshot.cursor(in: jobs)
        guard let entry = try cursor.first(), let last = try cursor.last() else {
            Issue.record("the table is empty")
            return
        }
        let texts = (String(entry.value), String(last.value))
        #expect(texts.0 == "0")
        #expect(texts.1 == "1998")
    }

    @Test func `an empty table has no entries`() throws {
        let directory = TemporaryDirectory()
        let environment = try directory.open()
        let table = environment.table("jobs", keyedBy: UInt64.self)
        let transaction = try environment.beginWrite()
        var cursor = try transaction.cursor(in: table)
        let none =
            try cursor.first() == nil && cursor.last() == nil && cursor.next() == nil && cursor.seek(to: 0) == nil
        let noEntry = try transaction.entry(atOrAfter: 0, in: table) == nil
        #expect(none)
        #expect(noEntry)
    }

    @Test func `the entry at or after a key, and after it, is found without a cursor`() throws {
        let transaction = try environment.beginWrite()
        let at = try transaction.entry(atOrAfter: 10, in: jobs)?.key
        let above = try transaction.entry(atOrAfter: 11, in: jobs)?.key
        let after = try transaction.entry(after: 10, in: jobs)?.key
        let afterAbsent = try transaction.entry(after: 11, in: jobs)?.key
        let none = try transaction.entry(after: 1_998, in: jobs)?.key
        #expect(at == 10)
        #expect(above == 12)
        #expect(after == 12)
        #expect(afterAbsent == 12)
        #expect(none == nil)
    }

    @Test func `a table is emptied from the front while it is walked`() throws {
        var transaction = try environment.beginWrite()
        var position: UInt64 = 0
        var count = 0
        while let key = try transaction.entry(atOrAfter: position, in: jobs)?.key {
            let wasThere = try transaction.delete(key, in: jobs)
            #expect(wasThere)
            position = key
            count += 1
        }
        #expect(count == 1_000)
        try transaction.commit()
        #expect(try environment.accountPages().isBalanced)
    }
}
