import NIOCore
import PenstockWire

/// A job that exists, to ask the server about.
public struct JobHandle: Sendable {
    public let id: JobID
    public let queue: String
    public let name: String
    /// True where an add found the job's custom id taken, and changed nothing about the stored job.
    public let isExisting: Bool
    let client: PenstockClient

    /// The key under which dependents know the job: `queue:id`.
    public var key: String { "\(queue):\(id)" }

    /// Everything that is stored of the job.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where retention has taken the job.
    public func info() async throws(PenstockError) -> JobInfo {
        JobInfo(try await client.read(JobView.self, GetJob(job: .id(id.wire))))
    }

    public func state() async throws(PenstockError) -> JobState { try await info().state }

    /// Waits until the job is finished: the server says so, nobody polls.
    ///
    /// - Parameter timeout: for ever where there is none.
    /// - Throws: ``PenstockError``; its code is `timedOut` after the timeout.
    @discardableResult
    public func wait(timeout: Duration? = nil) async throws(PenstockError) -> JobInfo {
        JobInfo(try await client.wait(JobView.self, .job(id.wire), timeout: timeout))
    }

    /// Waits until the job is finished, and returns its result.
    ///
    /// - Throws: ``JobFailedError`` if the job failed or was cancelled, and
    ///   ``PenstockError`` as ``wait(timeout:)`` does, or where the result is no `Value`.
    public func result<Value: Decodable>(as type: Value.Type, timeout: Duration? = nil) async throws -> Value {
        let info = try await wait(timeout: timeout)
        guard info.state == .completed else { throw JobFailedError(info) }
        return try info.result(as: type)
    }
}

extension JobHandle {
    /// A page of the job's dependencies of one kind, exact at one moment of the server's.
    ///
    /// - Parameters:
    ///   - cursor: `next` of the page before.
    ///   - count: jobs in the page, at most 1,000; a page of long results has fewer.
    public func dependencies(
        _ kind: DependencyKind,
        after cursor: DependencyCursor = .start,
        count: Int = 1000
    ) async throws(PenstockError) -> DependencyPage {
        let pages = try await dependencies([kind], after: [kind: cursor], count: count)
        return pages[kind] ?? DependencyPage(kind: kind, dependencies: [], next: nil)
    }

    /// Pages of several kinds, all exact at the same moment of the server's.
    public func dependencies(
        _ kinds: [DependencyKind],
        after cursors: [DependencyKind: DependencyCursor] = [:],
        count: Int = 1000
    ) async throws(PenstockError) -> [DependencyKind: DependencyPage] {
        guard count > 0, count <= Limits.pageRowsMax else {
            throw PenstockError(.invalidRequest, "A page of \(count) rows; 1 to \(Limits.pageRowsMax) are allowed.")
        }
        let request = GetDependencies(
            job: id.wire,
            pages: kinds.map { .init(kind: $0.wire, cursor: cursors[$0]?.rawValue ?? 0, rows: UInt32(count)) }
        )
        let reply = try await client.read(DependencyPages.self, request)
        var pages: [DependencyKind: DependencyPage] = [:]
        for page in reply.pages { pages[DependencyKind(page.kind)] = DependencyPage(page) }
        return pages
    }

    /// Every dependency of one kind, however many pages that takes.
    public func allDependencies(_ kind: DependencyKind) async throws(PenstockError) -> [Dependency] {
        var all: [Dependency] = []
        var cursor: DependencyCursor? = .start
        while let position = cursor {
            let page = try await dependencies(kind, after: position)
            all += page.dependencies
            cursor = page.next
        }
        return all
    }

    /// How many dependencies there are of each kind.
    public func dependenciesCount() async throws(PenstockError) -> DependencyCounts {
        DependencyCounts(try await client.read(DependencyTotals.self, CountDependencies(job: id.wire)).counts)
    }

    /// The results of the dependencies that completed, in the order of the dependencies.
    public func childrenValues<Value: Decodable & Sendable>(
        as type: Value.Type
    ) async throws(PenstockError) -> ChildrenValues<Value> {
        var elements: [ChildrenValues<Value>.Element] = []
        for child in try await allDependencies(.processed) {
            elements.append(
                .init(job: child.job, queue: child.queue, name: child.name, value: try child.value(as: type))
            )
        }
        return ChildrenValues(elements)
    }

    /// The failures of those dependencies whose failure does not matter to this job.
    public func ignoredChildrenFailures() async throws(PenstockError) -> [ChildFailure] {
        try await allDependencies(.ignored).map(ChildFailure.init)
    }

    /// The jobs that depend on this one: all of them, in the order of their ids.
    public func dependents() async throws(PenstockError) -> [JobHandle] {
        var all: [JobHandle] = []
        var cursor: UInt64 = 0
        repeat {
            let page = try await client.read(DependentPage.self, GetDependents(job: id.wire, cursor: cursor))
            for row in page.rows {
                all.append(
                    JobHandle(id: JobID(row.job), queue: row.queue, name: row.name, isExisting: true, client: client)
                )
            }
            cursor = page.next
        } while cursor != 0
        return all
    }

    /// The jobs that depend on this one, as `queue:id`.
    public func parentKeys() async throws(PenstockError) -> [String] { try await dependents().map(\.key) }
}
