import Testing

@testable import BenchSupport

struct TableTests {
    @Test func `columns are as wide as their widest cell, and aligned`() {
        var table = Table(columns: [.init("floor", .left), .init("jobs/s"), .init("unit", .left)])
        table.append(["add", "1540000", "µs"])
        table.append(["complete", "7", ""])
        let expected = """
            floor      jobs/s  unit
            --------  -------  ----
            add       1540000  µs
            complete        7
            """
        #expect(table.description == expected)
    }

    @Test func `a table without rows has its titles`() {
        #expect(Table(columns: [.init("a"), .init("bc")]).description == "a  bc\n-  --")
    }
}
