import PenstockEngine
import PenstockWire

/// How a server is run. Everything has a default but the directory.
package struct ServerConfiguration: Sendable {
    /// The name and version that the server tells clients.
    package static let version = "penstock 0.1.0"

    /// Where the database is. It is made if it is not there.
    package var dataDirectory: String
    /// The TCP address to listen on; nil for none. Only loopback, unless ``allowsInsecureAddress``.
    package var host: String? = "127.0.0.1"
    /// 0 takes any free port.
    package var port = 7411
    /// The path of a Unix socket to listen on; nil for none.
    package var unixPath: String?
    /// Listens on addresses that others can reach, though this version has neither authentication nor encryption.
    package var allowsInsecureAddress = false
    /// False: commits are not flushed to the disk. For tests and measurements only: a loss of power loses jobs.
    package var isDurable = true
    /// Bytes of address space for the database; it must never be reached, so the quota is far below.
    package var mapBytes = 1 << 40
    /// Bytes of the database above which adds are refused; completions go on.
    package var quotaBytes = 512 << 30
    /// Bytes that must stay free on the disk for adds to be taken; completions go on below.
    package var diskReserveBytes = 64 << 20
    /// Finished jobs of each queue and state that are kept, the newest ones; nil: all. A job's own options win.
    package var keptJobs: UInt32? = 100_000
    /// Milliseconds that completed jobs are kept; nil: for ever. A job's own options win.
    package var completedMilliseconds: UInt64? = 7 * 86_400_000
    /// The same of failed and cancelled ones.
    package var failedMilliseconds: UInt64? = 30 * 86_400_000
    /// Connections at once; one more is told so, and closed.
    package var connectionsMax = 10_000
    /// Milliseconds after which a lease is written to the database.
    package var leaseWriteAfter: UInt64 = 500
    /// Jobs and edges that one command may reach in its own transaction; what is left follows in slices. Fewer than the
    /// protocol tells are for tests, which make large effects of small ones.
    package var effectSteps = effectStepsMax
    package static let effectStepsMax = EffectLimits.stepsDefault
    /// Milliseconds that a clean stop may take.
    package var stopMilliseconds: UInt64 = 10_000

    package init(dataDirectory: String) { self.dataDirectory = dataDirectory }

    var retention: RetentionRules {
        func rule(_ milliseconds: UInt64?) -> Retention {
            Retention(count: keptJobs ?? Retention.countUnbounded, age: milliseconds ?? Retention.ageUnbounded)
        }
        return RetentionRules(completed: rule(completedMilliseconds), failed: rule(failedMilliseconds))
    }

    /// True where the TCP address can only be reached from this machine.
    var isLoopback: Bool {
        guard let host else { return true }
        return host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
