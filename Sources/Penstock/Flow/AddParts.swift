import NIOCore
import PenstockWire

/// A large add, cut into parts that fit a frame each. Nobody sees anything of it before the last part has come.
///
/// Where the cuts are is decided first, as every part says how large the whole is; a part is encoded when it is sent.
struct AddParts {
    /// Jobs of one item that stand in one part.
    private struct Slice {
        var item: Int
        var nodes: Range<Int>
    }

    private let queues: [String]
    private let items: [AddItem]
    private var parts: [[Slice]] = []
    private(set) var totals = Stage.Totals(jobs: 0, items: 0, bytes: 0)

    /// Bytes that a part has for its items: what its frame does not need for all else.
    private static let headBytes = FrameHeader.byteCount + 8 + 4 + 1 + 4 + 4 + 8

    init(queues: [String], items: [AddItem], frameBytesMax: Int = Limits.frameBytesMax) {
        self.queues = queues
        self.items = items
        cut(frameBytesMax)
    }

    var count: Int { parts.count }

    // MARK: Cutting

    private mutating func cut(_ frameBytesMax: Int) {
        let emptyBytes = 2 + 2 + queues.reduce(0) { $0 + 1 + $1.utf8.count }
        let roomBytes = frameBytesMax - AddParts.headBytes - emptyBytes
        var part: [Slice] = []
        var (bytes, jobs, allBytes) = (0, 0, 0)
        var scratch = WireWriter()
        for (index, item) in items.enumerated() {
            var slice = Slice(item: index, nodes: 0..<0)
            var headBytes = AddParts.size(AddParts.head(item, goesOn: false), &scratch)
            for (place, node) in item.nodes.enumerated() {
                let nodeBytes = AddParts.size(node, &scratch)
                if jobs == Limits.jobsPerAddMax || jobs > 0 && bytes + headBytes + nodeBytes > roomBytes {
                    if !slice.nodes.isEmpty { part.append(slice) }
                    parts.append(part)
                    allBytes += emptyBytes + bytes
                    (part, bytes, jobs) = ([], 0, 0)
                    slice.nodes = place..<place
                    if place > 0 { headBytes = AddParts.size(AddParts.head(item, goesOn: true), &scratch) }
                }
                slice.nodes = slice.nodes.lowerBound..<place + 1
                bytes += headBytes + nodeBytes
                headBytes = 0
                jobs += 1
            }
            part.append(slice)
        }
        parts.append(part)
        allBytes += emptyBytes + bytes
        totals = Stage.Totals(
            jobs: UInt32(items.reduce(0) { $0 + $1.nodes.count }),
            items: UInt32(items.count),
            bytes: UInt64(allBytes)
        )
    }

    private static func size(_ node: AddNode, _ scratch: inout WireWriter) -> Int {
        var bare = node
        bare.data = []
        scratch.removeAll()
        bare.encode(into: &scratch)
        return scratch.count + node.data.count
    }

    private static func size(_ item: AddItem, _ scratch: inout WireWriter) -> Int {
        scratch.removeAll()
        item.encode(into: &scratch)
        return scratch.count
    }

    /// An item without its jobs; where it goes on, its begin has said the rest.
    private static func head(_ item: AddItem, goesOn: Bool) -> AddItem {
        if goesOn { return AddItem(kind: .more, nodes: []) }
        var head = item
        head.nodes = []
        return head
    }

    // MARK: Sending

    /// - Parameter add: the client's number of the large add.
    func frame(_ index: Int, add: UInt32) -> ByteBuffer {
        let tail = AddTail(
            queues: queues,
            items: parts[index].map { slice in
                var item = AddParts.head(items[slice.item], goesOn: slice.nodes.lowerBound > 0)
                item.nodes = Array(items[slice.item].nodes[slice.nodes])
                return item
            }
        )
        let part: Stage.Part = index == parts.count - 1 ? .last : index == 0 ? .first : .next
        return ByteBuffer(Stage(sequence: 0, add: add, part: part, totals: totals, tail: tail))
    }

    /// Tells the server to drop what it has of the add.
    func abandonment(add: UInt32) -> ByteBuffer {
        ByteBuffer(Stage(sequence: 0, add: add, part: .abandon, totals: totals, tail: nil))
    }
}
