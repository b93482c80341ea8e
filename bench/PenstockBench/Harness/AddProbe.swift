internal import BenchSupport
internal import Foundation
internal import PenstockWire
internal import Synchronization
internal import UV

/// A client of its own, on a thread of its own, that adds one durable job every two milliseconds: what others notice.
final class AddProbe: Sendable {
    /// In nanoseconds.
    private static let interval: UInt64 = 2_000_000

    private let address: ServerAddress
    private let payloadBytes: Int
    private let isStopping = Atomic(false)
    private let isReady = DispatchSemaphore(value: 0)
    private let hasEnded = DispatchSemaphore(value: 0)
    private let result = Mutex<Result<PacedSamples, any Error>>(.success(PacedSamples(interval: interval)))

    /// Begins, and returns once the first add is acknowledged.
    init(of address: ServerAddress, payloadBytes: Int) {
        self.address = address
        self.payloadBytes = payloadBytes
        Thread { [self] in
            let result = Result { try probe() }
            self.result.withLock { $0 = result }
            isReady.signal()
            hasEnded.signal()
        }.start()
        isReady.wait()
    }

    /// Ends it.
    ///
    /// - Returns: the latencies since it began.
    func stop() throws -> PacedSamples {
        isStopping.store(true, ordering: .relaxed)
        hasEnded.wait()
        return try result.withLock { try $0.get() }
    }

    private func probe() throws -> PacedSamples {
        let client = try WireClient(to: address)
        defer { client.close() }
        let source = JobSource(payloadBytes: payloadBytes)
        // The first add of a queue makes the queue.
        try source.add(1, with: client)
        isReady.signal()
        var samples = PacedSamples(interval: Self.interval)
        while !isStopping.load(ordering: .relaxed) {
            let sentAt = Loop.monotonicNanoseconds()
            try client.add(AddLoad(source.jobs(1), queues: [source.queue], frames: 1, outstandingMax: 1))
            samples.append(.init(sentAt: sentAt, answeredAt: client.state.lastOutcomeAt))
            let (now, next) = (Loop.monotonicNanoseconds(), sentAt + Self.interval)
            if now < next { Thread.sleep(forTimeInterval: Double(next - now) / 1e9) }
        }
        return samples
    }
}
