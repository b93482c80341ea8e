internal import PenstockWire

/// How the jobs of a large flow depend on one another.
enum FlowShape: String, CaseIterable {
    /// One parent that depends on all others.
    case fanIn = "fan-in"
    /// Jobs that all depend on one.
    case fanOut = "fan-out"
    /// Each job depends on the one before it.
    case chain
    /// Each job depends on ten that come before it, drawn at random.
    case dag
}

/// A flow's jobs by number, each after those that it depends on, and its edges: drawn anew each time, never stored.
///
///     fan-in     0 ... size - 1, the children; size, the parent
///     fan-out    0, the one; 1 ... size, its dependents
///     chain      0 ... size - 1
///     dag        0 ... size - 1
struct FlowGraph {
    static let randomDependencies = 10

    let shape: FlowShape
    let size: Int
    /// Of the random edges.
    var seed: UInt64 = 0

    var jobs: Int { hub == nil ? size : size + 1 }

    /// The one job that all others have an edge to or from.
    var hub: Int? {
        switch shape {
        case .fanIn: size
        case .fanOut: 0
        case .chain, .dag: nil
        }
    }

    var edges: Int {
        switch shape {
        case .fanIn, .fanOut: size
        case .chain: max(0, size - 1)
        case .dag: (0..<size).reduce(0) { $0 + min($1, Self.randomDependencies) }
        }
    }

    /// The numbers of the jobs that the given one depends on, all below its own.
    func dependencies(of number: Int) -> [Int] {
        switch shape {
        case .fanIn: number == size ? Array(0..<size) : []
        case .fanOut: number == 0 ? [] : [0]
        case .chain: number == 0 ? [] : [number - 1]
        case .dag: randomDependencies(of: number)
        }
    }

    private func randomDependencies(of number: Int) -> [Int] {
        guard number > Self.randomDependencies else { return Array(0..<number) }
        var random = SplitMix64(state: seed &* 1_000_003 &+ UInt64(number))
        var found: [Int] = []
        while found.count < Self.randomDependencies {
            let dependency = Int.random(in: 0..<number, using: &random)
            if !found.contains(dependency) { found.append(dependency) }
        }
        return found
    }
}

/// A flow that is being added, or is: its graph, and the ids of its jobs by their numbers.
struct GraphFlow {
    let graph: FlowGraph
    var ids: [JobID]

    init(_ graph: FlowGraph) {
        self.graph = graph
        ids = [JobID](repeating: .none, count: graph.jobs)
    }
}

/// Steele, Lea and Flood's generator: good enough for edges, the same everywhere, and any state is a good seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
