import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// In which order flows are listed: by the time at which they were added.
public enum FlowOrdering: Hashable, Sendable, CaseIterable {
    case newestFirst
    case oldestFirst
}

extension FlowProducer {
    /// The flows of the server, page by page.
    ///
    /// ```swift
    /// for try await page in flows.flows(named: "nightly", status: .failed) {
    ///     for flow in page { try await FlowHandle(flow.id, client).retry() }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - name: only flows of this name; nil: of any.
    ///   - status: only flows that have it when their page is made; nil: any.
    ///   - created: only flows added in this range of the server's time; nil: at any.
    ///   - order: the newest first, by default.
    ///   - count: flows in a page, 1...1,000. A page can have fewer, or none, and another follow it.
    public func flows(
        named name: String? = nil,
        status: FlowStatus? = nil,
        created: Range<Date>? = nil,
        order: FlowOrdering = .newestFirst,
        count: Int = 100
    ) -> Pages<[FlowSummary]> {
        Pages { [client] cursor throws(PenstockError) in
            try Checks.name(name ?? "", "flow name")
            try Checks.page(count)
            let request = ListFlows(
                name: name ?? "",
                status: status?.wire,
                createdFrom: created?.lowerBound.clampedMilliseconds ?? 0,
                createdTo: created?.upperBound.clampedMilliseconds ?? 0,
                oldestFirst: order == .oldestFirst,
                cursor: cursor,
                rows: UInt32(count)
            )
            let page = try await client.read(FlowPage.self, request)
            return (page.rows.map(FlowSummary.init), page.next == 0 ? nil : page.next)
        }
    }
}
