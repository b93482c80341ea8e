import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct WireReaderTests {
    @Test func `numbers are little-endian, at any alignment`() throws {
        let bytes: [UInt8] = [9, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1]
        var reader = WireReader(bytes.rawSpan)
        #expect(try reader.u8() == 9)
        #expect(try reader.u16() == 0x0102)
        #expect(try reader.u32() == 0x0102_0304)
        #expect(try reader.u64() == 0x0102_0304_0506_0708)
        #expect(reader.remaining == 0)
        #expect(throws: WireError.self) { try reader.u8() }
    }

    @Test(arguments: [1, 12, 61])
    func `a count is checked against the bytes behind it, its own not among them`(bytesEach: Int) throws {
        for rows in [1, 3] {
            for missing in [0, 1] {
                let behind = [UInt8](repeating: 0, count: rows * bytesEach - missing)
                let bytes = [UInt8(rows), 0] + behind
                var short = WireReader(bytes.rawSpan)
                let more = [UInt8(rows), 0, 0, 0] + behind
                var long = WireReader(more.rawSpan)
                #expect((try? short.count16(bytesEach: bytesEach)) == (missing == 0 ? rows : nil))
                #expect((try? long.count32(bytesEach: bytesEach)) == (missing == 0 ? rows : nil))
            }
        }
    }

    @Test func `a length beyond the end is refused, and a negative one`() {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = WireReader(bytes.rawSpan)
        for count in [4, Int.max, -1, Int.min] {
            #expect((try? reader.range(count)) == nil)
        }
        #expect((try? reader.range(3)) == ByteRange(offset: 0, count: 3))
        #expect((try? reader.range(0)) == ByteRange(offset: 3, count: 0))
    }

    @Test func `bytes left over are refused`() throws {
        let bytes: [UInt8] = [1]
        var reader = WireReader(bytes.rawSpan)
        #expect(throws: WireError.self) { try reader.end("it") }
        _ = try reader.u8()
        try reader.end("it")
    }
}
