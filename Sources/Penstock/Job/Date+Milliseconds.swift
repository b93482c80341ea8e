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

    /// Milliseconds since 1970, within what the wire knows: 1 ms is the earliest, as 0 is no time.
    var wireMilliseconds: UInt64 {
        // A date counts in fractions of a second, so a whole millisecond is only nearly one.
        let milliseconds = (timeIntervalSince1970 * 1000 - 0.01).rounded(.up)
        return UInt64(min(max(milliseconds, 1), Double(Limits.wallMillisecondsMax)))
    }
}
