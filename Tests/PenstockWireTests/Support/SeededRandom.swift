import PenstockWire

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Values of every kind that a message holds, extremes among them more often than chance would have it.
extension SeededRandom {
    mutating func number<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type = Value.self) -> Value {
        switch below(4) {
        case 0: .min
        case 1: .max
        default: Value(truncatingIfNeeded: next() >> next(upperBound: 64))
        }
    }

    mutating func below(_ bound: Int) -> Int { Int(next(upperBound: UInt64(bound))) }
    mutating func bool() -> Bool { next() & 1 == 0 }

    mutating func one<Choices: RandomAccessCollection>(of choices: Choices) -> Choices.Element {
        choices[choices.index(choices.startIndex, offsetBy: below(choices.count))]
    }

    mutating func list<Element>(_ most: Int = 4, _ make: (inout SeededRandom) -> Element) -> [Element] {
        var elements: [Element] = []
        for _ in 0..<below(most + 1) { elements.append(make(&self)) }
        return elements
    }

    mutating func bytes() -> [UInt8] { list(below(40) == 0 ? 5000 : 40) { UInt8(truncatingIfNeeded: $0.next()) } }

    /// Text of up to `most` bytes; of one letter at least where `least` says so.
    mutating func text(_ most: Int = 255, least: Int = 0) -> String {
        let letters = ["a", "Z", "0", " ", "é", "流", "😀", "\u{301}", "\n", "-"]
        var text = least > 0 ? "n" : ""
        for _ in 0..<below(below(20) == 0 ? most : 12) {
            let letter = one(of: letters)
            if text.utf8.count + letter.utf8.count <= most { text += letter }
        }
        return text
    }

    private mutating func next(upperBound: UInt64) -> UInt64 { next() % upperBound }
}
