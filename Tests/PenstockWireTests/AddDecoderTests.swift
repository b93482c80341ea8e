import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct AddDecoderTests {
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

    @Test func `a deduplication stands in an add, and in nothing that is like one`() throws {
        let node = AddNode(queue: 0, name: "n", deduplication: Deduplication(id: "a", ttl: 5, replaces: true))
        var writer = WireWriter()
        AddTail(queues: ["q"], items: [AddItem(kind: .job, nodes: [node])]).encode(into: &writer)
        let bytes = writer.bytes
        let tail = try AddTail(bytes.rawSpan, .add)
        #expect(tail.items[0].nodes == [node])
        for context in [AddContext.children, .completion, .firstPart, .laterPart, .template] {
            let error = #expect(throws: WireError.self) { _ = try AddTail(bytes.rawSpan, context) }
            #expect(error?.code == .invalidOption)
        }
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `the add at the end of another command is read in place as it is read as a value`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let held = random.heldAdd()
        let heldBytes = body(of: held)
        let heldHead = try HeldAdd.Head(heldBytes.rawSpan)
        #expect(heldHead.token == held.token && heldHead.action == held.action)
        #expect(Payload(heldHead.contentType, heldBytes.rawSpan.array(heldHead.result)) == held.result)
        #expect(try read(heldBytes, at: heldHead.tail, held.action.context) == held.add)

        let part = random.stage()
        let partBytes = body(of: part)
        let partHead = try Stage.Head(partBytes.rawSpan)
        #expect(partHead.add == part.add && partHead.part == part.part && partHead.totals == part.totals)
        if let tail = part.tail {
            #expect(try read(partBytes, at: partHead.tail, part.part.context) == tail)
        } else {
            #expect(partHead.tail.isEmpty)
        }

        let scheduler = random.setScheduler()
        let schedulerBytes = body(of: scheduler)
        let schedulerHead = try SetScheduler.Head(schedulerBytes.rawSpan)
        #expect(try schedulerBytes.rawSpan.string(schedulerHead.id, "id") == scheduler.id)
        #expect(schedulerHead.rule == scheduler.rule)
        #expect(try read(schedulerBytes, at: schedulerHead.tail, .template) == scheduler.template)

        let move = random.move()
        let moveBytes = body(of: move)
        let moveHead = try Move.Head(moveBytes.rawSpan)
        #expect(moveHead.to == move.to && moveHead.delay == move.delay && moveHead.hasData == (move.data != nil))
        #expect(moveBytes.rawSpan.array(moveHead.data) == move.data?.bytes ?? [])
    }

    @Test func `a context's bound on jobs holds over all items`() throws {
        let items = [2, 2].map { AddItem(isFlow: true, nodes: [AddNode](repeating: node, count: $0)) }
        var writer = WireWriter()
        AddTail(queues: ["q"], items: items).encode(into: &writer)
        let bytes = writer.bytes
        var context = AddContext.add
        context.jobsMax = 4
        #expect(try AddTail(bytes.rawSpan, context).items.count == 2)
        context.jobsMax = 3
        let error = #expect(throws: WireError.self) { _ = try AddTail(bytes.rawSpan, context) }
        #expect(error?.code == .tooManyJobs)
    }

    private let node = AddNode(queue: 0, name: "n")

    private func body<Message: WireMessage>(of message: Message) -> [UInt8] {
        var writer = WireWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    private func read(_ bytes: [UInt8], at place: ByteRange, _ context: AddContext) throws(WireError) -> AddTail {
        let tail = Array(bytes[place.indices])
        var decoder = try AddDecoder(tail: tail.rawSpan, context)
        return try read(&decoder, tail)
    }

    /// Reads an add as the server does: front to back, by places.
    private func read(_ bytes: [UInt8]) throws(WireError) -> Add {
        var decoder = try AddDecoder(bytes.rawSpan)
        let tail = try read(&decoder, bytes)
        return Add(sequence: decoder.sequence, queues: tail.queues, items: tail.items)
    }

    private func read(_ decoder: inout AddDecoder, _ bytes: [UInt8]) throws(WireError) -> AddTail {
        var add = AddTail(queues: [], items: [])
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
