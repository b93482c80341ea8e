import LMDB

// Values as text: what tests read best.

extension Transaction where Self: ~Copyable & ~Escapable {
    func text<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> String? {
        guard let value = try get(key, in: table) else { return nil }
        return String(value)
    }
}

extension WriteTransaction {
    mutating func put<Key: TableKey & ~Copyable & ~Escapable>(
        _ text: String,
        for key: borrowing Key,
        in table: Table<Key>,
        options: PutOptions = []
    ) throws(LMDBError) {
        let bytes = Array(text.utf8)
        try put(unsafe bytes.span.bytes, for: key, in: table, options: options)
    }
}

extension Environment {
    /// One write transaction, committed.
    func write(_ body: (inout WriteTransaction) throws(LMDBError) -> Void) throws(LMDBError) {
        var transaction = try beginWrite()
        try body(&transaction)
        try transaction.commit()
    }
}

extension String {
    init(_ bytes: RawSpan) {
        self = unsafe bytes.withUnsafeBytes { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }
}

extension [UInt8] {
    init(_ bytes: RawSpan) {
        self = unsafe bytes.withUnsafeBytes { bytes in unsafe Array(bytes) }
    }
}

/// A copy of borrowed bytes that may not be there (`map` does not take what cannot escape).
func copied(_ bytes: RawSpan?) -> [UInt8]? {
    guard let bytes else { return nil }
    return [UInt8](bytes)
}

/// A copy of the value of an entry that may not be there.
func copiedValue<Key: TableKey & ~Copyable & ~Escapable>(_ entry: borrowing Entry<Key>?) -> [UInt8]? {
    guard let entry = copy entry else { return nil }
    return [UInt8](entry.value)
}

/// The code that `body` throws; nil when it throws none.
func code(_ body: () throws(LMDBError) -> Void) -> LMDBError.Code? {
    do { try body() } catch { return error.code }
    return nil
}
