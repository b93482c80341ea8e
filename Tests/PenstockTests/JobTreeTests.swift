import PenstockWire
import Testing

@testable import Penstock

/// Trees and graphs, as the client shows them.
struct JobTreeTests {
    private func row(_ job: UInt64, under parent: UInt32?, cut: Bool = false) -> FlowTree.Row {
        FlowTree.Row(
            job: .init(job),
            parent: parent,
            edge: .init(position: 0, kind: .processed, policy: .ignore, condition: .whatever),
            queue: "q",
            name: "\(job)",
            state: .completed,
            cause: .none,
            dependencies: 2,
            isCut: cut
        )
    }

    @Test func `a tree knows who stands under whom`() throws {
        let rows = [row(1, under: nil), row(2, under: 0), row(3, under: 1), row(4, under: 0, cut: true)]
        let tree = try JobTree(FlowTree(commit: 1, isWhole: false, rows: rows))
        #expect(tree.root.name == "1")
        #expect(tree.root.edge == nil)
        #expect(tree.children(of: tree.root).map(\.name) == ["2", "4"])
        #expect(tree.map(\.depth) == [0, 1, 2, 1])
        #expect(tree.map(\.isCut) == [false, false, false, true])
        #expect(!tree.isWhole)
        let edge = try #require(tree.node(.init(rawValue: 3))?.edge)
        #expect((edge.dependent.rawValue, edge.dependency.rawValue) == (2, 3))
        #expect((edge.kind, edge.onFailure, edge.condition) == (.processed, .ignore, .whatever))
    }

    @Test func `a chain of a thousand jobs is a tree like any other`() throws {
        let rows = (0..<1000).map { (index: UInt32) in
            row(UInt64(index) + 1, under: index == 0 ? nil : index - 1)
        }
        let tree = try JobTree(FlowTree(commit: 1, isWhole: true, rows: rows))
        #expect(tree.last?.depth == 999)
    }

    @Test func `a tree without a root is refused`() {
        let error = #expect(throws: PenstockError.self) {
            try JobTree(FlowTree(commit: 1, isWhole: true, rows: []))
        }
        #expect(error?.code == .malformed)
    }

    @Test func `pages are asked for one by one, and each walk begins anew`() async throws {
        let pages = Pages<String>(from: 3) { cursor throws(PenstockError) in
            ("page \(cursor)", cursor < 5 ? cursor + 1 : nil)
        }
        for _ in 0..<2 {
            var seen: [String] = []
            for try await page in pages { seen.append(page) }
            #expect(seen == ["page 3", "page 4", "page 5"])
        }
        let failing = Pages<String> { _ throws(PenstockError) in throw PenstockError(.full, "no") }
        var iterator = failing.makeAsyncIterator()
        do throws(PenstockError) {
            _ = try await iterator.next()
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.code == .full)
        }
    }
}
