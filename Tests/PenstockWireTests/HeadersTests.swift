import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct HeadersTests {
    private func code(_ entries: [(key: [UInt8], value: [UInt8])], cut: Int = 0) -> ErrorCode? {
        var writer = WireWriter()
        writer.u8(UInt8(entries.count))
        for entry in entries {
            writer.bytes8(entry.key.rawSpan)
            writer.u16(UInt16(entry.value.count))
            writer.raw(entry.value.rawSpan)
        }
        let bytes = Array(writer.bytes.dropLast(cut))
        do throws(WireError) { try Headers.check(bytes.rawSpan) } catch { return error.code }
        return nil
    }

    @Test func `each key of the headers stands once, and is text`() {
        let (a, b) = (Array("a".utf8), Array("b".utf8))
        #expect(code([(a, b)]) == nil)
        #expect(code([(a, []), (b, a), (Array("aa".utf8), [])]) == nil)
        #expect(code([]) == .invalidOption)
        #expect(code([([], a)]) == .invalidOption)
        #expect(code([(b, []), (a, a), (b, b)]) == .invalidOption)
        #expect(code([([0xFF], a)]) == .invalidUTF8 && code([(a, [0xC3])]) == .invalidUTF8)
        #expect(code([(a, b)], cut: 1) == .malformed)
        var many: [([UInt8], [UInt8])] = []
        for index in 0..<255 {
            let key: [UInt8] = [UInt8(0x30 + index / 64), UInt8(0x20 + index % 64)]
            many.append((key, []))
        }
        #expect(code(many) == nil)
        many[254] = many[7]
        #expect(code(many) == .invalidOption)
        let long = [UInt8](repeating: 0x61, count: Limits.headersBytesMax)
        #expect(code([(a, long)]) == .invalidOption)
    }
}
