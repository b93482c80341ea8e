import PenstockWire
import Testing

/// The comparison's own negative controls: a flow that is as it should be, and each way to make it wrong.
@Suite struct FlowComparisonTests {
    /// Two jobs, and one that depends on both.
    private var model: FlowModel {
        let edge = { (dependency: Int) in FlowModel.Edge(dependency: dependency, policy: .failParent) }
        var model = FlowModel(edges: [[], [], [edge(0), edge(1)]])
        _ = model.apply(.add)
        return model
    }

    private let ids = (1...3 as ClosedRange<UInt64>).map { JobID($0) }

    /// What a server would show of the model.
    private func shown(_ model: FlowModel) -> SeenFlow {
        var seen = SeenFlow()
        for place in model.live {
            let node = model.nodes[place]
            let (state, cause): (JobState, FailureCause) =
                switch node.state {
                case .ready: (.waiting, .none)
                case .waitingChildren: (.waitingChildren, .none)
                case .completed: (.completed, .none)
                case .failed(let cause): (.failed, cause)
                case .cancelled: (.cancelled, .none)
                }
            seen.nodes.append(
                FlowNodePage.Row(
                    job: ids[place],
                    queue: "q",
                    name: "job",
                    state: state,
                    cause: cause,
                    attemptsMade: 0,
                    startedAt: 0,
                    finishedAt: 0,
                    dependencies: DependencyCounts()
                )
            )
            for (position, edge) in node.edges.enumerated() {
                seen.edges[ids[place], default: []].append(
                    FlowEdgePage.Row(
                        dependent: ids[place],
                        position: UInt32(position),
                        dependency: ids[edge.dependency],
                        kind: edge.kind,
                        policy: edge.policy
                    )
                )
            }
        }
        return seen
    }

    @Test(arguments: [
        FlowCommand.cancel(0), .cancelFlow, .finish(0, fails: true), .finish(1, fails: false),
        .resolve(2, 0, .ignored), .resolve(2, 1, .removed), .remove(1, keepsDependencies: false),
        .remove(2, keepsDependencies: false), .removeFlow,
    ])
    func `a flow before a command is never taken for the flow behind it`(command: FlowCommand) {
        var after = model
        _ = after.apply(command)
        #expect(shown(model).difference(from: model, ids: ids) == nil)
        #expect(shown(after).difference(from: after, ids: ids) == nil)
        #expect(shown(model).difference(from: after, ids: ids) != nil)
        #expect(shown(after).difference(from: model, ids: ids) != nil)
    }

    @Test func `a flow that is half there is found`() {
        var after = model
        _ = after.apply(.finish(0, fails: true))
        var half = shown(after)
        half.nodes[2].state = .waitingChildren
        #expect(half.difference(from: model, ids: ids) != nil)
        #expect(half.difference(from: after, ids: ids) != nil)
        half = shown(after)
        half.edges[ids[2]]?[0].kind = .unprocessed
        #expect(half.difference(from: after, ids: ids) != nil)
        half = shown(after)
        half.edges[ids[2]]?.removeLast()
        #expect(half.difference(from: after, ids: ids) != nil)
    }

    @Test func `a job that nobody added, and one that is another, are found`() {
        var seen = shown(model)
        seen.nodes[1].job = JobID(9)
        #expect(seen.difference(from: model, ids: ids) != nil)
        seen = shown(model)
        seen.nodes.append(seen.nodes[0])
        #expect(seen.difference(from: model, ids: ids) != nil)
    }
}
