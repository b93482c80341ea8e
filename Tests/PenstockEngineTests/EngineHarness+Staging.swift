import PenstockWire

@testable import PenstockEngine

extension Stage {
    /// The parts of an add, each of so many nodes.
    static func parts(of items: [ItemSpec], nodes: Int) -> (totals: Stage.Totals, tails: [AddTail]) {
        let add = Add(sequence: 0, items)
        var tails: [AddTail] = []
        var open: [AddItem] = []
        var room = nodes
        func close() {
            guard !open.isEmpty else { return }
            tails.append(AddTail(queues: add.queues, items: open))
            open = []
            room = nodes
        }
        for item in add.items {
            var left = item.nodes[...]
            var kind = item.kind
            while !left.isEmpty {
                let name = kind == .more ? "" : item.name
                open.append(AddItem(kind: kind, name: name, nodes: Array(left.prefix(room))))
                room -= open.last!.nodes.count
                left = left.dropFirst(open.last!.nodes.count)
                kind = .more
                if room == 0 { close() }
            }
        }
        close()
        let bytes = tails.reduce(0) { $0 + size(of: $1) }
        let jobs = add.items.reduce(0) { $0 + $1.nodes.count }
        return (Stage.Totals(jobs: UInt32(jobs), items: UInt32(add.items.count), bytes: UInt64(bytes)), tails)
    }

    private static func size(of tail: AddTail) -> Int {
        var writer = WireWriter()
        tail.encode(into: &writer)
        return writer.count
    }
}

/// Large adds, part by part.
extension EngineHarness {
    @discardableResult
    func stage(
        _ part: Stage.Part,
        _ totals: Stage.Totals,
        _ tail: AddTail?,
        add: UInt32 = 1,
        _ session: TestSession? = nil,
        change: (inout WireWriter) -> Void = { _ in }
    ) -> UInt64 {
        let session = session ?? self.session
        let sequence = session.draw()
        var writer = WireWriter()
        Stage(sequence: sequence, add: add, part: part, totals: totals, tail: tail).encode(into: &writer)
        change(&writer)
        let body = batch.keep(writer.span)
        stage(.stage, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }
}
