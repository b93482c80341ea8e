import Testing
import UV

extension UVSuite {
    @Suite struct OutputBufferTests {
        private func bytes(of buffer: OutputBuffer) -> [UInt8] {
            buffer.withBytes { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
        }

        @Test func `a length is filled in after the frame`() {
            let buffer = OutputBuffer()
            buffer.append([9, 9, 9])
            let start = buffer.count
            buffer.append(capacity: 64) { span in
                unsafe span.append(0, as: UInt32.self)
                for byte in [7, 8] as [UInt8] { span.append(byte) }
            }
            buffer.patch(UInt32(buffer.count - start - 4), at: start)
            #expect(bytes(of: buffer) == [9, 9, 9, 2, 0, 0, 0, 7, 8])
            buffer.truncate(to: start)
            #expect(bytes(of: buffer) == [9, 9, 9])
            buffer.truncate(to: 0)
            #expect(buffer.capacity == 0)
        }

        @Test func `bytes survive the growth of a buffer`() {
            let buffer = OutputBuffer()
            let all = pattern(1_000_003)
            var sent = 0
            var size = 1
            while sent < all.count {
                let piece = Array(all[sent..<min(sent + size, all.count)])
                if size.isMultiple(of: 2) {
                    buffer.append(piece)
                } else {
                    buffer.append(capacity: piece.count + 7) { span in
                        for byte in piece { span.append(byte) }
                    }
                }
                sent += piece.count
                size += 1
            }
            #expect(bytes(of: buffer) == all)
            #expect(buffer.count == all.count)
        }

        @Test func `a large capacity isn't kept and a small one is on request`() {
            let buffer = OutputBuffer()
            buffer.append(pattern(100))
            buffer.removeAll(keepingCapacity: true)
            #expect(buffer.capacity > 0)
            buffer.append(pattern(100_000))
            buffer.removeAll(keepingCapacity: true)
            #expect(buffer.capacity == 0)
            buffer.append(pattern(100))
            buffer.removeAll()
            #expect(buffer.capacity == 0)
            #expect(buffer.isEmpty)
        }

        @Test func `nothing appended is nothing`() {
            let buffer = OutputBuffer()
            let none: [UInt8] = []
            buffer.append(none)
            buffer.append(capacity: 0) { _ in }
            #expect(buffer.isEmpty)
            #expect(buffer.capacity == 0)
            #expect(bytes(of: buffer) == [])
        }

        @Test func `a buffer that is used while it is filled stops the program`() async {
            await #expect(processExitsWith: .failure) {
                let buffer = OutputBuffer()
                buffer.append(capacity: 8) { _ in buffer.removeAll() }
            }
        }

        @Test func `a patch outside the bytes stops the program`() async {
            await #expect(processExitsWith: .failure) {
                let buffer = OutputBuffer()
                buffer.append([1, 2, 3])
                buffer.patch(1, at: 0)
            }
        }
    }
}
