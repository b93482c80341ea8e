import LMDB
import TestSupport
import Testing

/// A random walk of changes, aborts and nested transactions, beside a plain array that does the same.
///
/// This is the test of the kept cursors: each answer of LMDB, each walk and each page count is compared.
@Suite(.computing) struct ModelTests {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `short keys behave as the model`(seed: UInt64) throws {
        var walk = Walk(seed: seed) { UInt64($0) }
        try walk.run()
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `long keys behave as the model`(seed: UInt64) throws {
        var walk = Walk(seed: seed) { PaddedKey(index: UInt16($0)) }
        try walk.run()
    }
}

/// A key of 2 to 511 bytes, ordered by its first two.
struct PaddedKey: DecodableTableKey {
    var index: UInt16

    init(index: UInt16) {
        self.index = index
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(index)
        for _ in 0..<(Int(index) &* 37 % 510) { writer.append(0xEE as UInt8) }
    }

    init?(from reader: inout KeyReader) {
        guard let index = reader.readUInt16() else { return nil }
        self.index = index
        _ = reader.readRest()
    }
}

struct Walk<Key: DecodableTableKey> {
    typealias Model = [[UInt8]?]
    static var keys: Int { 1_500 }

    let directory = TemporaryDirectory()
    let key: (Int) -> Key
    var random: SplitMix64
    /// The value of each key, as committed.
    var model: Model = Array(repeating: nil, count: Walk.keys + 1_000)

    init(seed: UInt64, key: @escaping (Int) -> Key) {
        random = SplitMix64(state: seed)
        self.key = key
    }

    mutating func run() throws {
        for session in 0..<6 { try runSession(session) }
    }

    /// Some rounds on an environment that is opened for them.
    private mutating func runSession(_ session: Int) throws {
        let environment = try directory.open(["walk", "other"])
        let table = environment.table("walk", keyedBy: Key.self)
        let reader = try SnapshotReader(environment)
        for round in session * 4..<session * 4 + 4 {
            var transaction = try environment.beginWrite()
            var next = model
            // Rounds that fill and rounds that empty, so that pages split and merge.
            let deletes = round % 8 < 4 ? 2 : 6
            try change(&transaction, table, &next, steps: 400, deletes: deletes, depth: 0)
            try compare(transaction, table, next)
            if random.below(5) == 0 {
                transaction.abort()
            } else {
                try transaction.commit()
                model = next
            }
            try compare(try reader.begin(), table, model)
            let account = try environment.accountPages()
            try #require(account.isBalanced, "\(account)")
        }
    }

    private mutating func change(
        _ transaction: inout WriteTransaction,
        _ table: Table<Key>,
        _ model: inout Model,
        steps: Int,
        deletes: Int,
        depth: Int
    ) throws {
        for _ in 0..<steps {
            let index = random.below(Self.keys)
            switch random.below(16) {
            case 0..<deletes:
                let wasThere = try transaction.delete(key(index), in: table)
                try #require(wasThere == (model[index] != nil))
                model[index] = nil
            case 6, 7:
                let found = copied(try transaction.get(key(index), in: table))
                try #require(found == model[index])
            case 8:
                let after = model[(index + 1)...].firstIndex { $0 != nil }
                let entry = copiedValue(try transaction.entry(after: key(index), in: table))
                try #require(entry == after.flatMap { model[$0] })
            case 9:
                let atOrAfter = model[index...].firstIndex { $0 != nil }
                let entry = copiedValue(try transaction.entry(atOrAfter: key(index), in: table))
                try #require(entry == atOrAfter.flatMap { model[$0] })
            case 10:
                let last = (model.lastIndex { $0 != nil } ?? -1) + 1
                guard last < model.count else { continue }
                let value = self.value()
                try transaction.put(unsafe value.span.bytes, for: key(last), in: table, options: .append)
                model[last] = value
            case 11:
                let value = self.value()
                try transaction.reserve(value.count, for: key(index), in: table) { output in
                    for byte in value { output.append(byte) }
                }
                model[index] = value
            case 12:
                let wasThere = try transaction.modify(key(index), in: table) { bytes in
                    if !bytes.isEmpty { bytes.storeBytes(of: 9, as: UInt8.self) }
                }
                try #require(wasThere == (model[index] != nil))
                if model[index]?.isEmpty == false { model[index]?[0] = 9 }
            case 13 where depth < 2 && random.below(8) == 0:
                var next = model
                var nested = try transaction.beginNested()
                try change(&nested, table, &next, steps: 30, deletes: deletes, depth: depth + 1)
                if random.below(2) == 0 {
                    try nested.commit()
                    model = next
                }
            default:
                let value = self.value()
                try transaction.put(unsafe value.span.bytes, for: key(index), in: table)
                model[index] = value
            }
        }
    }

    /// Mostly small values, some empty, some of several pages.
    private mutating func value() -> [UInt8] {
        let count = random.below(20) == 0 ? random.below(9_000) : random.below(200)
        return Array(repeating: UInt8(truncatingIfNeeded: random.next()), count: count)
    }

    private func compare<Source: Transaction & ~Copyable & ~Escapable>(
        _ transaction: borrowing Source,
        _ table: Table<Key>,
        _ model: Model
    ) throws {
        let values = model.compactMap { $0 }
        let count = try transaction.count(table)
        try #require(count == values.count)
        var forward = try transaction.cursor(in: table)
        for value in values {
            let found = copiedValue(try forward.next())
            try #require(found == value)
        }
        let isOver = try forward.next() == nil
        try #require(isOver)
        var back = try transaction.cursor(in: table)
        for value in values.reversed() {
            let found = copiedValue(try back.previous())
            try #require(found == value)
        }
    }
}

/// Sebastiano Vigna's splitmix64: repeatable numbers.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
