import PenstockWire

/// Adds single jobs, trees, diamonds and bulks, some with custom ids that are used again and again.
struct Producer {
    static let queues = ["mail", "report", "image", "ledger"]
    /// Few, so that most adds of one meet a stored job.
    private static let customIDs = 400
    private static let framesInFlightMax = 8
    /// Jobs that the workers may be behind.
    private static let backlogMax = 300

    let client: SessionClient

    func load() throws {
        guard client.framesInFlight < Producer.framesInFlightMax, client.journal.backlog < Producer.backlogMax else {
            return
        }
        try client.add(queues: Producer.queues) { sequence in
            var plan = FlowPlan(key: Ledger.Key(client: client.index, sequence: sequence), random: client.random)
            let kind = Int.random(in: 0..<100, using: &client.random)
            plan.random = client.random
            switch kind {
            case 0..<35: plan.job()
            case 35..<45: plan.job(customID: "custom-\(Int.random(in: 0..<Producer.customIDs, using: &plan.random))")
            case 45..<65: plan.tree()
            case 65..<85: plan.diamond()
            case 85..<90: plan.sharedLeaf("custom-\(Int.random(in: 0..<Producer.customIDs, using: &plan.random))")
            default:
                for _ in 0..<Int.random(in: 2...8, using: &plan.random) {
                    switch Int.random(in: 0..<3, using: &plan.random) {
                    case 0: plan.job()
                    case 1: plan.tree()
                    default: plan.diamond()
                    }
                }
            }
            client.random = plan.random
            return plan.items
        }
    }
}

/// The items of one add, as they are drawn.
struct FlowPlan {
    let key: Ledger.Key
    var random: SplitMix
    private(set) var items: [AddItem] = []
    private var nodes: [AddNode] = []
    private var count = 0

    init(key: Ledger.Key, random: SplitMix) {
        self.key = key
        self.random = random
    }

    mutating func job(customID: String? = nil) {
        // All custom ids are in one queue, so that they meet.
        _ = node([], customID: customID)
        end(isFlow: false)
    }

    mutating func tree() {
        var children: [Int] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            if random.chance(30) {
                let leaves = (0..<Int.random(in: 1...3, using: &random)).map { _ in node([]) }
                children.append(node(leaves))
            } else {
                children.append(node([]))
            }
        }
        _ = node(children)
        end(isFlow: true)
    }

    mutating func diamond() {
        let bottom = node([])
        let middle = (0..<Int.random(in: 2...4, using: &random)).map { _ in node([bottom]) }
        _ = node(middle)
        end(isFlow: true)
    }

    /// A flow whose leaf may be a job that is there already.
    mutating func sharedLeaf(_ customID: String) {
        let shared = node([], customID: customID)
        _ = node([shared, node([])])
        end(isFlow: true)
    }

    private mutating func node(_ dependencies: [Int], customID: String? = nil) -> Int {
        var options = NodeOptions.default
        options.attempts = UInt16.random(in: 1...3, using: &random)
        if random.chance(20) { options.backoff.delay = 20 }
        if random.chance(10) { options.delay = 30 }
        if random.chance(30) { options.priority = UInt32.random(in: 0...3, using: &random) }
        if random.chance(10) { options.lifo = true }
        options.onFailure = [.failParent, .failParent, .ignore, .continue].randomElement(using: &random) ?? .ignore
        // Above 2,020 bytes a value has pages of its own.
        let padding = random.chance(5) ? 6000 : Int.random(in: 0...100, using: &random)
        nodes.append(
            AddNode(
                queue: customID == nil ? UInt16.random(in: 0..<UInt16(Producer.queues.count), using: &random) : 0,
                name: "job",
                contentType: .binary,
                data: JobTag(key: key, node: count).data(padding: padding),
                dependencies: dependencies.map { DependencyFields(.node(UInt64($0))) },
                customID: customID,
                options: options
            )
        )
        count += 1
        return count - 1
    }

    private mutating func end(isFlow: Bool) {
        items.append(AddItem(isFlow: isFlow, name: isFlow ? "flow \(key)" : "", nodes: nodes))
        nodes = []
    }
}
