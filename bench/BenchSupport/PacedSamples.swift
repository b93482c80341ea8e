/// Latencies of requests that were due at a fixed rate, each with its time, so that those of a window can be told apart.
///
/// A request waits for the one before it: where that is late it is late, too. Its latency counts from when it was due,
/// so that nothing that a stall held up goes unseen.
package struct PacedSamples: Sendable {
    package struct Sample: Equatable, Sendable {
        /// When it was due, and when it was answered, in nanoseconds of one clock.
        package var dueAt: UInt64
        package var answeredAt: UInt64

        package init(dueAt: UInt64, answeredAt: UInt64) {
            self.dueAt = dueAt
            self.answeredAt = answeredAt
        }
    }

    private var samples: [Sample] = []

    package init() {}

    package mutating func append(_ sample: Sample) { samples.append(sample) }

    /// The latencies of the requests that were due in the window: those due in it, and those before it that were not
    /// answered when it began.
    package func histogram(from start: UInt64, to end: UInt64) -> Histogram {
        var histogram = Histogram()
        for sample in samples where sample.dueAt < end && sample.answeredAt > start {
            histogram.record(sample.answeredAt - sample.dueAt)
        }
        return histogram
    }
}
