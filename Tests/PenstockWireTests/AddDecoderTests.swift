import PenstockWire
import Testing

struct AddDecoderTests {
    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `an add read in place is the add read as a value`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let add = random.add()
        var writer = WireWriter()
        add.encode(into: &writer)
        let bytes = writer.bytes
        #expect(try read(bytes) == add)
        let value = try Add(body: bytes.rawSpan)
        #expect(value == add)
    }

    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `a damaged add is refused by both, or by neither`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var writer = WireWriter()
        random.add().encode(into: &writer)
        for _ in 0..<50 {
            var bytes = writer.bytes
            bytes[random.below(bytes.count)] = random.number()
            let place = try? read(bytes)
            let value = try? Add(body: bytes.rawSpan)
            #expect(place == value)
        }
    }

    @Test func `jobs are counted over all items of an add`() throws {
        let node = AddNode(queue: 0, name: "n")
        func add(_ counts: [Int]) -> [UInt8] {
            let items = counts.map { AddItem(isFlow: true, nodes: [AddNode](repeating: node, count: $0)) }
            var writer = WireWriter()
            Add(sequence: 1, queues: ["q"], items: items).encode(into: &writer)
            return writer.bytes
        }
        #expect(try read(add([4000, 6000])).items.count == 2)
        let error = #expect(throws: WireError.self) { _ = try read(add([4000, 6000, 1])) }
        #expect(error?.code == .tooManyJobs)
        #expect(error?.message.contains("10001") == true)
    }

    @Test func `the options that are at their default are not sent`() throws {
        var writer = WireWriter()
        #expect(NodeOptions.default.encode(into: &writer) == 0)
        #expect(writer.count == 0)
        var options = NodeOptions()
        options.lifo = true
        #expect(options.encode(into: &writer) == 1)
        #expect(writer.bytes == [5, 0x80, 0, 0])
    }

    /// Reads an add as the server does: front to back, by places.
    private func read(_ bytes: [UInt8]) throws(WireError) -> Add {
        var decoder = try AddDecoder(bytes.rawSpan)
        var add = Add(sequence: decoder.sequence, queues: [], items: [])
        for _ in 0..<decoder.queueCount {
            let place = try decoder.nextQueue()
            add.queues.append(try bytes.rawSpan.string(place, "queue"))
        }
        for _ in 0..<(try decoder.itemCount()) {
            let fields = try decoder.nextItem()
            var item = try AddItem(fields, in: bytes.rawSpan)
            for _ in 0..<fields.nodes {
                let node = try decoder.nextNode()
                item.nodes.append(try AddNode(node, in: bytes.rawSpan))
            }
            add.items.append(item)
        }
        try decoder.end()
        return add
    }
}
