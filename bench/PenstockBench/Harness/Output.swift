internal import BenchSupport
internal import Foundation

/// Where results go: tables to standard output; with `--json` there the object alone, and the tables to standard error.
struct Output {
    let json: Bool

    func show(_ table: Table) {
        let handle = json ? FileHandle.standardError : FileHandle.standardOutput
        try? handle.write(contentsOf: Data("\(table)\n\n".utf8))
    }

    /// The one object, where it is asked for.
    func show(_ object: some Encodable) throws {
        guard json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try FileHandle.standardOutput.write(contentsOf: encoder.encode(object) + Data("\n".utf8))
    }

    func showTables(of report: BenchReport) {
        for table in report.tables { show(table) }
    }

    func show(_ report: BenchReport) throws {
        showTables(of: report)
        try show(object: report)
    }

    private func show(object report: BenchReport) throws {
        guard json else { return }
        try FileHandle.standardOutput.write(contentsOf: report.json() + Data("\n".utf8))
    }
}
