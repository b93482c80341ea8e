import Foundation
import Penstock

/// The finished graph in the terminal: each kind of job with its states, its times, and what it waited for.
enum GraphView {
    static func show(_ flow: FlowHandle) async throws {
        let nodes = try await flow.nodes()
        let edges = try await flow.edges()
        let byID = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0) })
        print("graph      \(nodes.count) jobs, \(edges.count) edges")
        print("           " + row("job", "queue", "state", "took", "waited for", "result"))
        var shown: [String: Int] = [:]
        for node in nodes {
            shown[node.name, default: 0] += 1
            if shown[node.name]! > 3 { continue }  // because it was counted in the line above
            let waitedFor = edges.filter { $0.dependent == node.id }
            print(
                "           "
                    + row(
                        "\(node.name) \(node.id)",
                        node.queue,
                        node.state.rawValue,
                        took(node),
                        describe(waitedFor, byID),
                        try await result(flow, node)
                    )
            )
        }
        for (name, count) in shown.sorted(by: { $0.key < $1.key }) where count > 3 {
            let times = nodes.filter { $0.name == name }.compactMap(milliseconds)
            let longest = times.max().map { String(format: "%.1f ms", $0) } ?? "-"
            print("           ... and \(count - 3) more of \(name), the longest \(longest)")
        }
        print("")
    }

    private static func row(_ columns: String...) -> String {
        let widths = [16, 10, 11, 10, 42]
        return columns.enumerated().map { index, text in
            index < widths.count ? text.padding(toLength: widths[index], withPad: " ", startingAt: 0) : text
        }.joined(separator: " ")
    }

    private static func milliseconds(_ node: FlowNodeInfo) -> Double? {
        guard let start = node.startedAt, let end = node.finishedAt else { return nil }
        return end.timeIntervalSince(start) * 1000
    }

    private static func took(_ node: FlowNodeInfo) -> String {
        milliseconds(node).map { String(format: "%.0f ms", $0) } ?? "-"
    }

    private static func describe(_ edges: [FlowEdge], _ nodes: [JobID: FlowNodeInfo]) -> String {
        let kinds = Dictionary(grouping: edges) { "\(nodes[$0.dependency]?.name ?? "?") (\($0.kind.rawValue))" }
        let parts = kinds.sorted { $0.key < $1.key }.map {
            $0.value.count > 1 ? "\($0.value.count) x \($0.key)" : $0.key
        }
        return parts.isEmpty ? "-" : parts.joined(separator: ", ")
    }

    private static func result(_ flow: FlowHandle, _ node: FlowNodeInfo) async throws -> String {
        guard let job = flow.jobs.first(where: { $0.id == node.id }) else { return "-" }
        let info = try await job.info()
        if let failure = info.failure { return "failed: \(failure.message)" }
        guard let result = info.result else { return "-" }
        let text = String(decoding: result.bytes.prefix(48), as: UTF8.self)
        return result.bytes.count > 48 ? "\(text)... (\(result.bytes.count) bytes)" : text
    }
}
