import PenstockWire

extension Duration {
    /// Whole milliseconds, rounded up: what is asked to wait never waits less. Nil for a negative duration.
    var millisecondsRoundedUp: UInt64? {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return nil }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        if overflow { return .max }
        return whole &+ UInt64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// Milliseconds of an option: none to ten years.
    func wireMilliseconds(_ what: String) throws(PenstockError) -> UInt64 {
        guard let milliseconds = millisecondsRoundedUp, milliseconds <= Limits.delayMillisecondsMax else {
            throw PenstockError(.invalidOption, "A \(what) of \(self); 0 to ten years are allowed.")
        }
        return milliseconds
    }
}
