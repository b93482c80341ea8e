import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct WireWriterTests {
    @Test func `what was written stays while the buffer grows`() {
        var writer = WireWriter(capacity: 0)
        var expected: [UInt8] = []
        for number in 0..<5000 {
            let value = UInt64(number) &* 0x0101_0101_0101
            writer.u64(value)
            for shift in 0..<8 { expected.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift))) }
            if number % 100 == 0 {
                let block = [UInt8](repeating: UInt8(number / 100), count: number)
                writer.bytes32(block)
                for shift in 0..<4 { expected.append(UInt8(truncatingIfNeeded: number >> (8 * shift))) }
                expected += block
            }
        }
        #expect(writer.bytes == expected)
        #expect(writer.count == expected.count)
    }

    @Test func `a number can be patched where it stands`() {
        var writer = WireWriter()
        for _ in 0..<4 { writer.u32(0xffff_ffff) }
        writer.patch(UInt8(1), at: 0)
        writer.patch(UInt16(0x0203), at: 5)
        writer.patch(UInt32(0x0405_0607), at: 12)
        #expect(writer.bytes == [1, 255, 255, 255, 255, 3, 2, 255, 255, 255, 255, 255, 7, 6, 5, 4])
    }

    @Test func `a frame's length is written when it ends, in the middle of others too`() {
        var writer = WireWriter(capacity: 1)
        for bytes in [0, 1, 300] {
            let start = writer.beginFrame(FrameHeader(.deliver))
            writer.raw([UInt8](repeating: 7, count: bytes))
            writer.endFrame(start)
            #expect(writer.count - start == FrameHeader.byteCount + bytes)
            #expect(writer.bytes[start] == UInt8(truncatingIfNeeded: 12 + bytes))
        }
    }

    @Test func `a frame that was begun can be taken back`() {
        var writer = WireWriter()
        writer.u8(1)
        let start = writer.beginFrame(FrameHeader(.deliver))
        writer.raw([1, 2, 3])
        writer.truncate(to: start)
        #expect(writer.bytes == [1])
        writer.u8(2)
        #expect(writer.bytes == [1, 2])
    }

    @Test func `a writer is emptied, shrunk, and used again`() {
        var writer = WireWriter()
        writer.raw([UInt8](repeating: 1, count: 100_000))
        writer.shrink(to: 64)
        #expect(writer.count == 100_000)
        writer.removeAll()
        writer.shrink(to: 0)
        #expect(writer.bytes.isEmpty)
        writer.string8("größe")
        writer.string16("")
        #expect(writer.bytes == [7] + Array("größe".utf8) + [0, 0])
    }

    @Test func `the longest counted texts are written`() throws {
        var writer = WireWriter(capacity: 1)
        writer.string8(String(repeating: "n", count: 255))
        writer.string16(String(repeating: "m", count: 65_535))
        let bytes = writer.bytes
        var reader = WireReader(bytes.rawSpan)
        #expect(try reader.string8("text").utf8.count == 255)
        #expect(try reader.string16("text").utf8.count == 65_535)
        #expect(reader.remaining == 0)
    }
}
