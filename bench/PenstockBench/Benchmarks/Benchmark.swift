internal import ArgumentParser
internal import BenchSupport

/// A subcommand that measures one kind of work.
protocol Benchmark: ParsableCommand {
    var options: BenchOptions { get }
    /// One benchmark with these options, the others at their defaults.
    init(options: BenchOptions)
    func measure() throws -> BenchReport
}

extension Benchmark {
    func run() throws {
        let report = try measure()
        try options.output.show(report)
    }

    static func measure(_ options: BenchOptions) throws -> BenchReport {
        try Self(options: options).measure()
    }
}
