import Testing

@testable import Penstock

/// The order of a flow's jobs, and the cycles in it.
struct FlowOrderTests {
    @Test func `what is in order stays in its order`() throws {
        #expect(try FlowOrder.sorted([[], [0], [0], [1, 2]]) == [0, 1, 2, 3])
        #expect(try FlowOrder.sorted([]) == [])
    }

    @Test func `a node that is named before its dependencies goes behind them`() throws {
        #expect(try FlowOrder.sorted([[2], [0], []]) == [2, 0, 1])
    }

    @Test func `an order is found for graphs of any shape`() throws {
        var random = SystemRandomNumberGenerator()
        for size in 1...40 {
            // Edges from later to earlier of a shuffled list: no cycle, in no order.
            let shuffled = Array(0..<size).shuffled(using: &random)
            var dependencies = [[Int]](repeating: [], count: size)
            for place in shuffled.indices {
                for earlier in 0..<place where Int.random(in: 0..<4, using: &random) == 0 {
                    dependencies[shuffled[place]].append(shuffled[earlier])
                }
            }
            let order = try FlowOrder.sorted(dependencies)
            #expect(order.sorted() == Array(0..<size))
            var place = [Int](repeating: 0, count: size)
            for (index, node) in order.enumerated() { place[node] = index }
            for node in 0..<size {
                #expect(dependencies[node].allSatisfy { place[$0] < place[node] })
            }
        }
    }

    @Test func `a long chain the wrong way round needs no deep stack`() throws {
        let count = 10_000
        let dependencies = (0..<count).map { $0 + 1 < count ? [$0 + 1] : [] }
        #expect(try FlowOrder.sorted(dependencies) == Array((0..<count).reversed()))
    }

    @Test func `a cycle is named in the order in which its jobs would run`() {
        let dependencies = [[1], [0], []]
        #expect(throws: FlowOrder.Cycle(nodes: [0, 1])) { try FlowOrder.sorted(dependencies) }
        // 0 needs 2, 2 needs 1, 1 needs 0: so 0, 1, 2, 0 ... and 3 hangs on it.
        #expect(throws: FlowOrder.Cycle(nodes: [0, 1, 2])) { try FlowOrder.sorted([[2], [0], [1], [2]]) }
    }

    @Test func `a job that waits for itself is a cycle`() {
        #expect(throws: FlowOrder.Cycle(nodes: [1])) { try FlowOrder.sorted([[], [1]]) }
    }
}
