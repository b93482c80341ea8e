internal import Foundation

/// Asks again and again until the answer is yes.
///
/// - Throws: ``ServerFailure`` after `limit`.
func wait(atMost limit: Duration, for what: String, until isTrue: () throws -> Bool) throws {
    let end = ContinuousClock.now + limit
    while try !isTrue() {
        guard ContinuousClock.now < end else { throw ServerFailure("waited \(limit) for \(what)") }
        Thread.sleep(forTimeInterval: 0.02)
    }
}
