import PenstockWire

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Date {
    /// The wire's milliseconds since 1970.
    init(milliseconds: UInt64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }

    /// The wire's 0 is a time that has not come.
    init?(optionalMilliseconds milliseconds: UInt64) {
        guard milliseconds > 0 else { return nil }
        self.init(milliseconds: milliseconds)
    }

    /// Milliseconds since 1970. 1 ms is the earliest, as 0 is no time; the latest is the last one of the year 9999.
    var clampedMilliseconds: UInt64 {
        // A date counts in fractions of a second, so a whole millisecond is only nearly one.
        let milliseconds = (timeIntervalSince1970 * 1000 - 0.01).rounded(.up)
        guard milliseconds > 1 else { return 1 }
        return UInt64(min(milliseconds, Double(Limits.wallMillisecondsMax)))
    }

    /// Milliseconds since 1970 of a time that has passed, however long ago, or that can come.
    func wireMilliseconds(
        _ what: String,
        orElse code: PenstockError.Code
    ) throws(PenstockError) -> UInt64 {
        // False also where it is no number.
        guard timeIntervalSince1970 * 1000 <= Double(Limits.wallMillisecondsMax) else {
            throw PenstockError(
                code,
                "A \(what), \(timeIntervalSince1970) seconds after 1970; none beyond the year 9999 is allowed."
            )
        }
        return clampedMilliseconds
    }
}
