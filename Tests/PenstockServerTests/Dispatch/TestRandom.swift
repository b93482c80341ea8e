/// Random numbers that a seed gives again.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    /// The seed is mixed: the numbers of two seeds that are neighbours have nothing in common.
    init(seed: UInt64) {
        state = seed
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// True once in `n` times.
    mutating func oneIn(_ n: UInt64) -> Bool { next() % n == 0 }

    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}
