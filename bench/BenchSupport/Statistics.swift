/// The median and the spread of a figure over several runs.
package struct Statistics: Codable, Equatable, Sendable {
    package let median: Double
    package let min: Double
    package let max: Double

    /// - Parameter runs: the figure of each run, at least one; the median of an even number is the mean of the middle two.
    package init(runs: [Double]) {
        precondition(!runs.isEmpty, "statistics need a run")
        let sorted = runs.sorted()
        let middle = sorted.count / 2
        median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}
