internal import Dispatch
internal import Foundation
internal import Synchronization

/// SIGINT and SIGTERM: they first end the server that runs, then the benchmark.
///
/// Taken once for the whole process: a second dispatch source of a signal, after the first was cancelled, gets none.
final class EndingSignals: Sendable {
    static let shared = EndingSignals()

    private let onEnd = Mutex<(@Sendable () -> Void)?>(nil)

    private init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in
                // The source lives as long as its handler: to the end.
                withExtendedLifetime(source) {}
                let onEnd = onEnd.withLock { $0 }
                onEnd?()
                exit(128 + number)
            }
            source.resume()
        }
    }

    /// Says what to end from now on; nil: nothing but the benchmark.
    func end(_ server: (@Sendable () -> Void)?) { onEnd.withLock { $0 = server } }
}
