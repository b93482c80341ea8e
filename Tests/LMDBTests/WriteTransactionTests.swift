import LMDB
import TestSupport
import Testing

@Suite(.computing) struct WriteTransactionTests {
    let directory = TemporaryDirectory()
    let environment: Environment
    let jobs: Table<UInt64>

    init() throws {
        environment = try directory.open()
        jobs = environment.table("jobs")
    }

    @Test func `what was put is there, before and after the commit`() throws {
        var transaction = try environment.beginWrite()
        try transaction.put("one", for: 1, in: jobs)
        let before = try transaction.text(1, in: jobs)
        #expect(before == "one")
        try transaction.commit()
        let after = try environment.beginWrite().text(1, in: jobs)
        #expect(after == "one")
    }

    @Test func `a put replaces a value, by a shorter or longer one`() throws {
        var transaction = try environment.beginWrite()
        for text in ["one", "a longer one", "", String(repeating: "x", count: 10_000)] {
            try transaction.put(text, for: 1, in: jobs)
            let found = try transaction.text(1, in: jobs)
            #expect(found == text)
        }
        let count = try transaction.count(jobs)
        #expect(count == 1)
    }

    @Test func `a put that may not overwrite leaves the value`() throws {
        var transaction = try environment.beginWrite()
        try transaction.put("one", for: 1, in: jobs, options: .noOverwrite)
        #expect(
            code { () throws(LMDBError) in
                try transaction.put("two", for: 1, in: jobs, options: .noOverwrite)
            } == .keyExists
        )
        let found = try transaction.text(1, in: jobs)
        #expect(found == "one")
        try transaction.commit()
    }

    @Test func `an append goes behind the last key only`() throws {
        var transaction = try environment.beginWrite()
        for key in 0..<1_000 as Range<UInt64> { try transaction.put("\(key)", for: key, in: jobs, options: .append) }
        #expect(
            code { () throws(LMDBError) in
                try transaction.put("again", for: 999, in: jobs, options: .append)
            } == .keyExists
        )
        #expect(
            code { () throws(LMDBError) in
                try transaction.put("before", for: 5, in: jobs, options: .append)
            } == .keyExists
        )
        try transaction.put("1000", for: 1_000, in: jobs, options: .append)
        let count = try transaction.count(jobs)
        #expect(count == 1_001)
    }

    @Test func `an append after changes in the middle still goes behind the last key`() throws {
        var transaction = try environment.beginWrite()
        for key in 0..<2_000 as Range<UInt64> {
            try transaction.put("\(key)", for: key * 2, in: jobs, options: .append)
        }
        for key in 0..<2_000 as Range<UInt64> {
            _ = try transaction.text(key, in: jobs)
            if key % 3 == 0 { try transaction.put("odd", for: key | 1, in: jobs) }
            if key % 5 == 0 { _ = try transaction.delete(key * 2, in: jobs) }
            try transaction.put("last", for: 10_000 + key, in: jobs, options: .append)
        }
        var cursor = try transaction.cursor(in: jobs)
        var last: UInt64?
        while let entry = try cursor.next() {
            guard let key = entry.key else { break }
            if let last { #expect(last < key) }
            last = key
        }
        #expect(last == 11_999)
    }

    @Test func `a reserved value is filled in its place`() throws {
        var transaction = try environment.beginWrite()
        try transaction.reserve(4, for: 1, in: jobs) { output in
            for byte in "abcd".utf8 { output.append(byte) }
        }
        try transaction.reserve(2, for: 2, in: jobs, options: .append) { output in
            for byte in "ef".utf8 { output.append(byte) }
        }
        try transaction.commit()
        let next = try environment.beginWrite()
        let first = try next.text(1, in: jobs)
        let second = try next.text(2, in: jobs)
        #expect(first == "abcd")
        #expect(second == "ef")
    }

    @Test func `a modified value keeps its size and its other bytes`() throws {
        try environment.write { transaction throws(LMDBError) in try transaction.put("abcd", for: 1, in: jobs) }
        var transaction = try environment.beginWrite()
        let wasThere = try transaction.modify(1, in: jobs) { value in
            value.storeBytes(of: UInt8(ascii: "X"), toByteOffset: 1, as: UInt8.self)
        }
        let wasAbsent = try transaction.modify(2, in: jobs) { _ in }
        let found = try transaction.text(1, in: jobs)
        #expect(wasThere)
        #expect(!wasAbsent)
        #expect(found == "aXcd")
    }

    @Test func `a delete removes the key and says whether it was there`() throws {
        var transaction = try environment.beginWrite()
        try transaction.put("one", for: 1, in: jobs)
        let first = try transaction.delete(1, in: jobs)
        let second = try transaction.delete(1, in: jobs)
        let found = try transaction.text(1, in: jobs)
        #expect(first)
        #expect(!second)
        #expect(found == nil)
    }

    @Test func `an abort discards, spoken or not`() throws {
        do {
            var transaction = try environment.beginWrite()
            try transaction.put("one", for: 1, in: jobs)
        }
        var transaction = try environment.beginWrite()
        try transaction.put("two", for: 2, in: jobs)
        transaction.abort()
        let count = try environment.beginWrite().count(jobs)
        #expect(count == 0)
    }

    @Test func `the number of a commit is one more than the last`() throws {
        let before = environment.lastCommittedID
        let transaction = try environment.beginWrite()
        #expect(transaction.id == before + 1)
        transaction.abort()
        try environment.write { transaction throws(LMDBError) in try transaction.put("", for: 1, in: jobs) }
        #expect(environment.lastCommittedID == before + 1)
    }
}
