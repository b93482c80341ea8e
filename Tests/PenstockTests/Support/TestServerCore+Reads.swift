import NIOCore
import PenstockWire

@testable import Penstock

// What is asked of a ``TestServer``.

extension TestServerCore {
    func answer(_ id: UInt64, _ connection: TestServerHandler, _ correlation: UInt32) {
        guard let view = jobs[id]?.view else { return }
        connection.send(Waited(view: view), correlation: correlation)
    }

    func find(_ reference: JobReference, _ connection: TestServerHandler, _ header: FrameHeader) {
        let found =
            switch reference {
            case .id(let id): jobs[id.rawValue]
            case .custom(let queue, let id): jobs.values.first { $0.view.queue == queue && $0.view.customID == id }
            }
        if let found {
            connection.send(found.view, correlation: header.correlation)
        } else {
            connection.refuse(header, WireError(.jobNotFound, "no such job"))
        }
    }

    /// Pages of two rows, so that a test sees several.
    func dependencies(_ request: GetDependencies, _ connection: TestServerHandler, _ header: FrameHeader) {
        let children = jobs[request.job.rawValue]?.children ?? []
        let pages = request.pages.map { page in
            let all = children.enumerated().filter { jobs[$0.element]?.view.state == .completed }
            let rows = page.kind == .processed ? all[min(Int(page.cursor), all.count)...].prefix(2) : []
            let next = Int(page.cursor) + rows.count
            return DependencyPages.Page(
                kind: page.kind,
                next: next < all.count && !rows.isEmpty ? UInt64(next) : 0,
                rows: rows.map { position, id in
                    let view = jobs[id]?.view ?? JobView()
                    return .init(
                        position: UInt32(position),
                        job: view.id,
                        queue: view.queue,
                        name: view.name,
                        outcome: view.outcome
                    )
                }
            )
        }
        connection.send(DependencyPages(commit: commit, pages: pages), correlation: header.correlation)
    }
}

/// The answer to a wait: a job under the opcode of WAIT.
private struct Waited: WireMessage {
    static let opcode = Opcode.wait
    static let isReply = true
    var view: JobView
    init(view: JobView) { self.view = view }
    func encode(into writer: inout WireWriter) { view.encode(into: &writer) }
    init(from reader: inout WireReader) throws(WireError) { view = try JobView(from: &reader) }
}
