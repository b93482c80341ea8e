/// The waits between two attempts to connect: 50 ms, doubled up to 5 s, each cut by up to a half at random.
struct ReconnectBackoff: Sendable {
    static let initial = Duration.milliseconds(50)
    static let maximum = Duration.seconds(5)

    private var wait = ReconnectBackoff.initial

    /// The next wait.
    /// - Parameter random: 0..<1, drawn by the caller.
    mutating func next(random: Double) -> Duration {
        let base = wait
        wait = min(wait * 2, ReconnectBackoff.maximum)
        return base - base / 2 * random
    }

    /// Begins anew, after a connection that came to stand.
    mutating func reset() { wait = ReconnectBackoff.initial }
}
