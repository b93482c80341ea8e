import LMDB
import PenstockWire

/// An add that was read and checked, and not yet written: scratch space of the engine, used again.
///
/// Everything that can be wrong with an add is found while the plan is made, when
/// nothing has been written; carrying it out can only fail with the database.
struct AddPlan {
    struct Node {
        var fields: NodeFields
        /// Index of the item that it belongs to.
        var item: Int
        /// Its id: given anew in order, or the stored job's.
        var job: JobID
        /// True: its custom id or its key was taken, and `job` is the stored job.
        var isExisting = false
        /// Why it stands for that.
        var reason = AddOutcome.Reason.existing
        /// Index of the hold of its deduplication id; -1 where it has none.
        var hold = -1
        /// The first dependent among the new edges, and its edge's position.
        var firstDependent = JobID.none
        var firstDependentPosition: UInt32 = 0
        var dependents: UInt32 = 0
        /// A new node of its own flow depends on it.
        var hasDependentInFlow = false
        /// Another node of its item names it as a dependency: it is no sink of the item.
        var isNamedInItem = false

        init(fields: NodeFields, item: Int) {
            self.fields = fields
            self.item = item
            job = .none
        }

        /// A stored job that is in no item.
        init(stored job: JobID) {
            fields = .none
            item = -1
            self.job = job
            isExisting = true
        }
    }

    struct Item {
        var isFlow: Bool
        /// More nodes of the last item of the part before.
        var isMore = false
        var name: ByteRange
        var metadata: ItemFields.Metadata?
        /// Present where its sinks become dependencies of the held job.
        var child: ChildFields?
        var firstNode: Int
        var nodes: Int
        var newNodes = 0
    }

    struct Edge {
        /// Index of the node that depends.
        var node: Int
        var dependency: JobID
        /// Index of the dependency among the nodes; -1 where only its id was named.
        var dependencyNode: Int
        var policy: FailurePolicy?
        var condition: EdgeCondition
        /// Where a stored job was given the edge: its position there.
        var hungPosition: UInt32?
    }

    /// The job whose worker adds.
    struct Held {
        var job: JobID
        /// What it adds alone belongs to this flow, too.
        var flow: FlowID
        /// The position of its next edge.
        var position: UInt32
        var context: AddContext
    }

    /// The message's queues: where their names stand, and their ids (0: not known yet).
    var queueNames: [ByteRange] = []
    var queues: [QueueID] = []
    var items: [Item] = []
    var nodes: [Node] = []
    /// New edges in the order of their dependents.
    var edges: [Edge] = []
    /// New edges whose dependent is a stored job.
    var hasHungEdges = false
    var held: Held?
    /// The deduplication ids that nodes name, and their places by queue name, NUL and id.
    var holds: [DeduplicationHold] = []
    var holdPlaces: [[UInt8]: Int] = [:]
    /// Nodes have taken the places of others.
    var hasReplacedNodes = false
    /// The held job among the nodes, the last of them, where it is given children.
    var holder: Int?

    // Scratch for finding what stands twice.
    var sortedIDs: [JobID] = []
    var lastDependent: [Int] = []
    var customNodes: [Int] = []
    var keyNodes: [Int] = []

    mutating func removeAll() {
        queueNames.removeAll(keepingCapacity: true)
        queues.removeAll(keepingCapacity: true)
        items.removeAll(keepingCapacity: true)
        nodes.removeAll(keepingCapacity: true)
        edges.removeAll(keepingCapacity: true)
        customNodes.removeAll(keepingCapacity: true)
        keyNodes.removeAll(keepingCapacity: true)
        lastDependent.removeAll(keepingCapacity: true)
        if !holds.isEmpty {
            holds.removeAll(keepingCapacity: true)
            holdPlaces.removeAll(keepingCapacity: true)
            hasReplacedNodes = false
        }
        hasHungEdges = false
        held = nil
        holder = nil
    }

    /// The flow that a new job belongs to which was added alone.
    var flowOfSingles: FlowID { held?.flow ?? .none }

    /// True where new nodes of the items are in one flow.
    func shareFlow(_ a: Int, _ b: Int) -> Bool {
        a == b || flowOfSingles != .none && !items[a].isFlow && !items[b].isFlow
    }

    /// Writes the body of ``AddOutcome``, without making that value, which would allocate for each add.
    func encodeOutcome(firstFlow: UInt64, into writer: inout WireWriter) {
        var flow = firstFlow
        writer.u16(UInt16(items.count))
        for item in items.indices {
            let shape = items[item]
            let range = shape.firstNode..<shape.firstNode + shape.nodes
            let isNewFlow = shape.isFlow && shape.newNodes > 0
            writer.flowID(isNewFlow ? FlowID(flow) : .none)
            if isNewFlow { flow += 1 }
            let first = range.first { !nodes[$0].isExisting }
            writer.jobID(first.map { nodes[$0].job } ?? .none)
            writer.u32(UInt32(shape.nodes))
            writer.u32(UInt32(shape.nodes - shape.newNodes))
            guard shape.newNodes < shape.nodes else { continue }
            for node in range where nodes[node].isExisting {
                writer.u32(UInt32(node - shape.firstNode))
                writer.u8(nodes[node].reason.rawValue)
                writer.jobID(nodes[node].job)
            }
        }
    }
}

/// Why a plan could not be made.
enum PlanError: Error {
    /// The add is refused.
    case refused(WireError)
    /// The database failed.
    case lmdb(LMDBError)
}
