import LMDB
import TestSupport
import Testing

@Suite(.computing) struct KeyTests {
    let directory = TemporaryDirectory()

    @Test func `numbers are met in the order of their values`() throws {
        let environment = try directory.open()
        let table = environment.table("jobs", keyedBy: UInt64.self)
        let numbers: [UInt64] = [0, 1, 255, 256, 65_535, 1 << 24, 1 << 32, 1 << 63, .max]
        try environment.write { transaction throws(LMDBError) in
            for number in numbers.shuffled() { try transaction.put("\(number)", for: number, in: table) }
        }
        let reader = try SnapshotReader(environment)
        let snapshot = try reader.begin()
        var cursor = try snapshot.cursor(in: table)
        var met: [UInt64] = []
        while let entry = try cursor.next() { if let key = entry.key { met.append(key) } }
        #expect(met == numbers)
    }

    @Test func `keys of several parts are ordered by their parts, and come back`() throws {
        let environment = try directory.open()
        let table = environment.table("jobs", keyedBy: ReadyKey.self)
        let keys = [
            ReadyKey(queue: 1, group: 0, priority: 9, place: .max),
            ReadyKey(queue: 1, group: 1, priority: 0, place: 300),
            ReadyKey(queue: 1, group: 256, priority: 0, place: 0),
            ReadyKey(queue: 256, group: 0, priority: 0, place: 2),
            ReadyKey(queue: 256, group: 0, priority: 1, place: 1),
        ]
        try environment.write { transaction throws(LMDBError) in
            for key in keys.reversed() { try transaction.put("", for: key, in: table) }
        }
        let reader = try SnapshotReader(environment)
        let snapshot = try reader.begin()
        var cursor = try snapshot.cursor(in: table)
        var met: [ReadyKey] = []
        while let entry = try cursor.next() { if let key = entry.key { met.append(key) } }
        #expect(met == keys)
    }

    @Test(arguments: [1, 2, 255, 510, 511])
    func `a key of bytes is found`(length: Int) throws {
        let environment = try directory.open()
        let table = environment.table("jobs", keyedBy: BytesKey.self)
        let bytes = [UInt8](repeating: 200, count: length)
        var transaction = try environment.beginWrite()
        try transaction.put("here", for: BytesKey(unsafe bytes.span.bytes), in: table)
        let found = try transaction.text(BytesKey(unsafe bytes.span.bytes), in: table)
        #expect(found == "here")
    }

    @Test(arguments: [0, 512, 513, 100_000])
    func `a key of no bytes or too many is refused by every call, and the transaction goes on`(length: Int) throws {
        let environment = try directory.open()
        let table = environment.table("jobs", keyedBy: BytesKey.self)
        let bytes = [UInt8](repeating: 200, count: length)
        var transaction = try environment.beginWrite()
        #expect(
            code { () throws(LMDBError) in
                try transaction.put("", for: BytesKey(unsafe bytes.span.bytes), in: table)
            } == .badValueSize
        )
        #expect(
            code { () throws(LMDBError) in
                try transaction.put("", for: BytesKey(unsafe bytes.span.bytes), in: table, options: .append)
            } == .badValueSize
        )
        #expect(
            code { () throws(LMDBError) in
                _ = try transaction.text(BytesKey(unsafe bytes.span.bytes), in: table)
            } == .badValueSize
        )
        #expect(
            code { () throws(LMDBError) in
                _ = try transaction.delete(BytesKey(unsafe bytes.span.bytes), in: table)
            } == .badValueSize
        )
        let one: [UInt8] = [1]
        try transaction.put("still", for: BytesKey(unsafe one.span.bytes), in: table)
        try transaction.commit()
    }

    @Test func `a key of too few or too many bytes is not read`() {
        let short = [UInt8](repeating: 0, count: 7)
        let exact: [UInt8] = [0, 0, 0, 0, 0, 0, 1, 2]
        let long = [UInt8](repeating: 0, count: 9)
        #expect(unsafe UInt64(short.span.bytes) == nil)
        #expect(unsafe UInt64(exact.span.bytes) == 258)
        #expect(unsafe UInt64(long.span.bytes) == nil)
    }

    @Test func `a reader gives back counted bytes and the rest`() {
        let bytes: [UInt8] = [2, 10, 11, 12]
        var reader = unsafe KeyReader(bytes.span.bytes)
        let count = reader.readUInt8()
        #expect(count == 2)
        let counted = copied(reader.readBytes(2))
        #expect(counted == [10, 11])
        let number = reader.readUInt32()
        #expect(number == nil)
        let tooMany = reader.readBytes(2) == nil
        #expect(tooMany)
        let rest = [UInt8](reader.readRest())
        #expect(rest == [12])
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }
}
