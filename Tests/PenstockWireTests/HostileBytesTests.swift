import PenstockWire
import TestSupport
import Testing

/// Decoders given anything: an error or a message is fine, a trap is not.
@Suite(.computing) struct HostileBytesTests {
    @Test(arguments: Vector.valid)
    func `a body cut at any length is an error or another message, never a trap`(_ vector: Vector) {
        var refused = 0
        for length in FrameHeader.byteCount..<vector.frame.count {
            var frame = Array(vector.frame.prefix(length))
            withLength(&frame)
            do throws(WireError) {
                let again = try recode(frame, as: vector.message, from: vector.from)
                if vector.reencodes { #expect(again == frame) }
            } catch {
                refused += 1
            }
        }
        if vector.reencodes { #expect(refused == vector.frame.count - FrameHeader.byteCount) }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `a frame with random bytes changed never traps`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let vectors = (Vector.valid + Vector.broken).filter { $0.frame.count < 600 && $0.frame.count >= 16 }
        var refused = 0
        for _ in 0..<25_000 {
            let vector = random.one(of: vectors)
            var frame = vector.frame
            for _ in 0...random.below(4) { mutate(&frame, &random) }
            if random.below(8) > 0 { withLength(&frame) }
            do throws(WireError) {
                _ = try recode(frame, as: vector.message, from: vector.from)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 0 && refused < 25_000)
    }

    @Test func `a body of noise never traps any decoder`() {
        var random = SeededRandom(seed: 7)
        var writer = WireWriter()
        for round in 0..<200 {
            let noise = random.bytes().map { round % 2 == 0 ? $0 : $0 & 3 }
            for kind in MessageKind.all {
                writer.removeAll()
                do throws(WireError) { try kind.recode(noise.rawSpan, &writer) } catch {}
            }
        }
    }

    /// Changes a byte, a bit, or a number to an extreme; repeats or removes a piece.
    private func mutate(_ frame: inout [UInt8], _ random: inout SeededRandom) {
        guard frame.count > FrameHeader.byteCount else { return }
        let body = FrameHeader.byteCount
        let place = random.below(12) == 0 ? 4 + random.below(12) : body + random.below(frame.count - body)
        switch random.below(6) {
        case 0: frame[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: frame[place] ^= 1 << UInt8(random.below(8))
        case 2:
            let extreme: UInt8 = random.bool() ? 0xff : 0
            let width = random.one(of: [1, 2, 4, 8])
            for index in place..<min(place + width, frame.count) { frame[index] = extreme }
        case 3: frame.removeSubrange(place..<min(place + 1 + random.below(8), frame.count))
        case 4: frame.insert(contentsOf: random.list(8) { UInt8(truncatingIfNeeded: $0.next()) }, at: place)
        default: frame[place] = frame[place] &+ (random.bool() ? 1 : 255)
        }
    }

    private func withLength(_ frame: inout [UInt8]) {
        guard frame.count >= FrameHeader.byteCount else { return }
        let length = UInt32(frame.count - FrameHeader.lengthBytes)
        for index in 0..<4 { frame[index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    }
}
