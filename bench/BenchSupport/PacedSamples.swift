/// Latencies of requests that go one after the other at a fixed rate, each with its time, so that those of a window can
/// be told apart.
///
/// A request waits for the one before it. Those that fall due while one takes long are left out, not sent late: where a
/// machine can't keep the rate, lateness would only grow. What they would have waited is counted all the same:
/// ``Histogram/record(_:expectedInterval:)``.
package struct PacedSamples: Sendable {
    package struct Sample: Equatable, Sendable {
        /// In nanoseconds of one clock.
        package var sentAt: UInt64
        package var answeredAt: UInt64

        package init(sentAt: UInt64, answeredAt: UInt64) {
            self.sentAt = sentAt
            self.answeredAt = answeredAt
        }
    }

    /// Nanoseconds from one request to the next.
    package let interval: UInt64
    private var samples: [Sample] = []

    package init(interval: UInt64) {
        self.interval = interval
    }

    package mutating func append(_ sample: Sample) { samples.append(sample) }

    /// The latencies of the requests that were open at some time of the window.
    package func histogram(from start: UInt64, to end: UInt64) -> Histogram {
        var histogram = Histogram()
        for sample in samples where sample.sentAt < end && sample.answeredAt > start {
            histogram.record(sample.answeredAt - sample.sentAt, expectedInterval: interval)
        }
        return histogram
    }
}
