import PenstockWire

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

    /// Pages of several kinds, all exact at the same moment of the server's. A kind that is named twice has one page.
    public func dependencies(
        _ kinds: [DependencyKind],
        after cursors: [DependencyKind: DependencyCursor] = [:],
        count: Int = 1000
    ) async throws(PenstockError) -> [DependencyKind: DependencyPage] {
        try Checks.page(count)
        var distinct: [DependencyKind] = []
        for kind in kinds where !distinct.contains(kind) { distinct.append(kind) }
        let request = GetDependencies(
            job: id.wire,
            pages: distinct.map { .init(kind: $0.wire, cursor: cursors[$0]?.rawValue ?? 0, rows: UInt32(count)) }
        )
        let reply = try await client.read(DependencyPages.self, request, over: link)
        var pages: [DependencyKind: DependencyPage] = [:]
        for page in reply.pages { pages[DependencyKind(page.kind)] = DependencyPage(page) }
        return pages
    }

    /// All pages of the job's dependencies of one kind, each asked for when it is wanted.
    ///
    /// - Parameters:
    ///   - cursor: `next` of a page that was read before, to go on behind it.
    ///   - count: jobs in a page, 1...1,000; a page of long results has fewer.
    public func dependencyPages(
        _ kind: DependencyKind,
        after cursor: DependencyCursor = .start,
        count: Int = 1000
    ) -> Pages<DependencyPage> {
        Pages(from: cursor.rawValue) { cursor throws(PenstockError) in
            let page = try await dependencies(kind, after: DependencyCursor(rawValue: cursor), count: count)
            return (page, page.next?.rawValue)
        }
    }

    /// Every dependency of one kind, however many pages that takes.
    public func allDependencies(_ kind: DependencyKind) async throws(PenstockError) -> [Dependency] {
        try await collect(from: DependencyCursor.start) { cursor throws(PenstockError) in
            let page = try await dependencies(kind, after: cursor)
            return (page.dependencies, page.next)
        }
    }

    /// How many dependencies there are of each kind.
    public func dependenciesCount() async throws(PenstockError) -> DependencyCounts {
        let request = CountDependencies(job: id.wire)
        return DependencyCounts(try await client.read(DependencyTotals.self, request, over: link).counts)
    }

    /// How many dependencies there are of some kinds, all exact at the same moment of the server's.
    public func dependenciesCount(_ kinds: [DependencyKind]) async throws(PenstockError) -> [DependencyKind: Int] {
        let counts = try await dependenciesCount()
        return Dictionary(kinds.map { ($0, counts[$0]) }) { first, _ in first }
    }

    /// The results of the dependencies that completed, in the order of the dependencies; also of a finished job.
    ///
    /// A dependency without a result, because it returned nothing or was resolved by hand, is nil where `Value` is an
    /// optional and ``RawPayload/none`` where it is ``RawPayload``. Where `Value` can't say so, it has no value and is
    /// left out: ``allDependencies(_:)`` has it all the same.
    ///
    /// - Throws: ``PenstockError``; its code is `decodingFailed` where a result is no `Value`.
    public func childrenValues<Value: Decodable & Sendable>(
        as type: Value.Type
    ) async throws(PenstockError) -> ChildrenValues<Value> {
        var elements: [ChildrenValues<Value>.Element] = []
        for child in try await allDependencies(.processed) {
            guard let value = try child.valueIfAny(as: type) else { continue }
            elements.append(.init(job: child.job, queue: child.queue, name: child.name, value: value))
        }
        return ChildrenValues(elements)
    }

    /// The failures of those dependencies whose failure does not matter to this job.
    public func ignoredChildrenFailures() async throws(PenstockError) -> [ChildFailure] {
        try await allDependencies(.ignored).map(ChildFailure.init)
    }

    /// The jobs that depend on this one: all of them, in the order of their ids.
    public func dependents() async throws(PenstockError) -> [JobHandle] {
        try await collect(from: UInt64(0)) { cursor throws(PenstockError) in
            let request = GetDependents(job: id.wire, cursor: cursor)
            let page = try await client.read(DependentPage.self, request, over: link)
            let jobs = page.rows.map {
                JobHandle(id: JobID($0.job), queue: $0.queue, name: $0.name, isExisting: true, client: client)
            }
            return (jobs, page.next == 0 ? nil : page.next)
        }
    }

    /// The jobs that depend on this one, as `queue:id`.
    public func parentKeys() async throws(PenstockError) -> [String] { try await dependents().map(\.key) }
}
