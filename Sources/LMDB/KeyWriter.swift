/// The place where a key writes its bytes: ``KeyLimits/keyBytesMax`` bytes of stack.
///
/// Integers are appended big-endian, so that the order of the bytes is the order of the numbers. What does not fit is
/// dropped and remembered: the operation then throws `.badValueSize`, as LMDB does, and touches nothing.
@safe
public struct KeyWriter: ~Copyable, ~Escapable {
    /// The first of ``KeyLimits/keyBytesMax`` bytes, owned by the operation that calls the key.
    @unsafe let start: UnsafeMutableRawPointer
    private(set) var count = 0
    private(set) var isTooLong = false

    @_lifetime(immortal)
    @unsafe init(start: UnsafeMutableRawPointer) {
        unsafe self.start = unsafe start
    }

    public mutating func append(_ value: UInt8) { store(value) }
    public mutating func append(_ value: UInt16) { store(value.bigEndian) }
    public mutating func append(_ value: UInt32) { store(value.bigEndian) }
    public mutating func append(_ value: UInt64) { store(value.bigEndian) }

    public mutating func append(_ bytes: RawSpan) {
        guard let end = room(bytes.byteCount) else { return }
        unsafe bytes.withUnsafeBytes { source in
            if let base = source.baseAddress {
                unsafe (start + count).copyMemory(from: base, byteCount: source.count)
            }
        }
        count = end
    }

    private mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        guard let end = room(MemoryLayout<Value>.size) else { return }
        unsafe (start + count).storeBytes(of: value, as: Value.self)
        count = end
    }

    /// The count after `byteCount` more bytes; nil when they do not fit.
    private mutating func room(_ byteCount: Int) -> Int? {
        let end = count + byteCount
        if end > KeyLimits.keyBytesMax || isTooLong {
            isTooLong = true
            return nil
        }
        return end
    }
}
