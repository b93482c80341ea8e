/// The waits between attempts at the same thing: doubled up to a maximum, each cut by up to a half at random.
struct GrowingWait: Sendable {
    private let initial: Duration
    private let maximum: Duration
    private var wait: Duration

    init(_ initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
        wait = initial
    }

    /// Between two attempts to connect.
    static let reconnect = GrowingWait(.milliseconds(50), maximum: .seconds(5))
    /// Between two attempts at a request that the server says to make later.
    static let request = GrowingWait(.milliseconds(20), maximum: .seconds(1))

    /// The next wait.
    /// - Parameter random: 0..<1, drawn by the caller.
    mutating func next(random: Double) -> Duration {
        let base = wait
        wait = min(wait * 2, maximum)
        return base - base / 2 * random
    }

    /// Begins anew, after an attempt that went well.
    mutating func reset() { wait = initial }
}
