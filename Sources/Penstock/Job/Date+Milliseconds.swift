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
}
