import NIOCore
import PenstockWire
import Testing

@testable import Penstock

/// What a flow becomes on the wire, and what is refused before it gets there.
struct AddPlanTests {
    private func message(_ flows: Flow...) throws -> Add {
        var plan = AddPlan()
        for flow in flows { try plan.add(flow) }
        let bytes = try #require(try plan.frame())
        let frame = try #require(TestSession.split(bytes).first)
        return try frame.message(Add.self)
    }

    private func error(_ flow: Flow) throws -> PenstockError {
        try #require(throws: PenstockError.self) { try message(flow) }
    }

    @Test func `a tree has its children first`() throws {
        let tree = FlowJob("root", queue: "a", data: 1) {
            FlowJob("left", queue: "b", data: 2)
            FlowJob("right", queue: "b", options: .init(onFailure: .ignore)) {
                FlowJob("leaf", queue: "c", data: "x")
            }
        }
        let add = try message(Flow(tree))
        #expect(add.queues.sorted() == ["a", "b", "c"])
        let item = try #require(add.items.first)
        #expect(item.isFlow)
        #expect(item.name == "root")
        #expect(Set(item.nodes.prefix(2).map(\.name)) == ["left", "leaf"])
        #expect(item.nodes.suffix(2).map(\.name) == ["right", "root"])
        #expect(item.nodes[3].data == Array("1".utf8))
        #expect(item.nodes[3].contentType == .json)
        #expect(item.nodes[2].contentType == .none)
        #expect(item.nodes[2].options.onFailure == .ignore)
        let root = item.nodes[3].dependencies.map(\.target)
        let left = try #require(item.nodes.firstIndex { $0.name == "left" })
        #expect(root == [.node(UInt64(left)), .node(2)])
    }

    @Test func `nodes of a second flow are counted on from the first`() throws {
        var flow = Flow("chain")
        let a = flow.add("a", queue: "q")
        flow.add("b", queue: "q", after: a)
        let add = try message(flow, flow)
        #expect(add.items[0].nodes[1].dependencies.map(\.target) == [.node(0)])
        #expect(add.items[1].nodes[1].dependencies.map(\.target) == [.node(2)])
    }

    @Test func `edges carry policies of their own, and may lead to jobs that exist`() throws {
        var flow = Flow("edges")
        let a = flow.add("a", queue: "q", onFailure: .ignore)
        flow.add("b", queue: "q", after: [.init(a, onFailure: .wait), .init(job: JobID(rawValue: 77))])
        let nodes = try message(flow).items[0].nodes
        #expect(nodes[0].options.onFailure == .ignore)
        #expect(nodes[1].dependencies == [.init(.node(0), policy: .wait), .init(.job(.init(77)))])
    }

    @Test func `local ids name jobs that come later`() throws {
        var flow = Flow("report")
        flow.add("send", queue: "mail", dependsOn: ["render", "address"])
        flow.add("render", queue: "pdf", id: "render")
        flow.add("look up", queue: "db", id: "address")
        let nodes = try message(flow).items[0].nodes
        #expect(nodes.map(\.name) == ["render", "look up", "send"])
        #expect(nodes[2].dependencies.map(\.target) == [.node(0), .node(1)])
    }

    @Test func `a dependency that is named twice is one edge`() throws {
        var flow = Flow("twice")
        let a = flow.add("a", queue: "q", id: "a")
        flow.add("b", queue: "q", after: a, a, dependsOn: ["a"])
        #expect(try message(flow).items[0].nodes[1].dependencies.count == 1)
    }

    @Test func `a cycle is reported by the names along it`() throws {
        var flow = Flow("round")
        flow.add("extract", queue: "q", id: "extract", dependsOn: ["clean"])
        flow.add("clean", queue: "q", id: "clean", dependsOn: ["extract"])
        let error = try error(flow)
        #expect(error.code == .cycle)
        #expect(error.message.hasSuffix("extract → clean → extract"))
    }

    @Test func `mistakes are named with the job that has them`() throws {
        let cases: [(PenstockError.Code, String, (inout Flow) -> Void)] = [
            (.unknownLocalID, "\"nobody\"", { $0.add("a", queue: "q", dependsOn: ["nobody"]) }),
            (
                .duplicateLocalID, "\"x\"",
                {
                    $0.add("a", queue: "q", id: "x")
                    $0.add("b", queue: "q", id: "x")
                }
            ),
            (
                .unknownDependency, "another flow",
                {
                    var other = Flow()
                    let node = other.add("x", queue: "q")
                    $0.add("a", queue: "q", after: node)
                }
            ),
            (
                .duplicateDependency, "b names a dependency twice",
                {
                    let a = $0.add("a", queue: "q")
                    $0.add("b", queue: "q", after: [.init(a), .init(a, onFailure: .wait)])
                }
            ),
            (
                .duplicateCustomID, "\"mine\"",
                {
                    $0.add("a", queue: "q", options: .init(id: "mine"))
                    $0.add("b", queue: "q", options: .init(id: "mine"))
                }
            ),
            (.invalidQueueName, "Job \"a\"", { $0.add("a", queue: "q:1") }),
            (.invalidName, "empty", { $0.add("", queue: "q") }),
            (.invalidName, "256 bytes", { $0.add(String(repeating: "n", count: 256), queue: "q") }),
            (.invalidCustomID, "only digits", { $0.add("a", queue: "q", options: .init(id: "123")) }),
            (.invalidOption, "0 attempts", { $0.add("a", queue: "q", options: .init(attempts: 0)) }),
            (.invalidOption, "priority of -1", { $0.add("a", queue: "q", options: .init(priority: -1)) }),
            (.invalidOption, "delay", { $0.add("a", queue: "q", options: .init(delay: .seconds(-1))) }),
            (
                .invalidOption, "jitter of 2.0",
                { $0.add("a", queue: "q", options: .init(backoff: .fixed(.seconds(1), jitter: 2))) }
            ),
            (
                .payloadTooLarge, "at most 1048576",
                { $0.add("a", queue: "q", data: [UInt8](repeating: 0, count: 1_048_577)) }
            ),
            (.encodingFailed, "Job \"a\"", { $0.add("a", queue: "q", data: Double.nan) }),
            (.emptyAdd, "holds no job", { _ in }),
        ]
        for (code, text, build) in cases {
            var flow = Flow("wrong")
            build(&flow)
            let error = try error(flow)
            #expect(error.code == code)
            #expect(error.message.contains(text), "\(error)")
        }
    }

    @Test func `the same custom id may stand in two queues`() throws {
        var flow = Flow()
        flow.add("a", queue: "q", options: .init(id: "mine"))
        flow.add("b", queue: "r", options: .init(id: "mine"))
        #expect(try message(flow).items[0].nodes.map(\.customID) == ["mine", "mine"])
    }

    @Test func `an add that is too large for one frame goes in parts`() throws {
        var many = Flow("many")
        for _ in 0...Limits.jobsPerAddMax { many.add("a", queue: "q") }
        var large = Flow("large")
        for _ in 0..<3 { large.add("a", queue: "q", data: [UInt8](repeating: 0, count: 1_000_000)) }
        for (flow, parts) in [(many, 2), (large, 2)] {
            var plan = AddPlan()
            try plan.add(flow)
            let frame = try plan.frame()
            #expect(frame == nil)
            #expect(plan.parts.count == parts)
        }
    }

    @Test func `an add of too many flows says so, and what the limit is`() throws {
        var plan = AddPlan()
        var flow = Flow()
        flow.add("a", queue: "q")
        for _ in 0..<Limits.itemsPerAddMax { try plan.add(flow) }
        let error = #expect(throws: PenstockError.self) { try plan.add(flow) }
        #expect(error?.code == .tooManyJobs)
        #expect(error?.message.contains("\(Limits.itemsPerAddMax) flows") == true)
    }

    @Test func `the largest flow fits one add`() throws {
        let root = FlowJob("r", queue: "q", children: (1..<Limits.jobsPerAddMax).map { _ in FlowJob("c", queue: "q") })
        let add = try message(Flow(root))
        #expect(add.items[0].nodes.count == Limits.jobsPerAddMax)
        #expect(add.items[0].nodes.last?.dependencies.count == Limits.jobsPerAddMax - 1)
    }

    @Test func `options reach the wire in its units`() throws {
        let options = JobOptions(
            priority: 5,
            delay: .microseconds(1500),
            attempts: 4,
            backoff: .exponential(.seconds(1), maximum: .seconds(60), jitter: 0.25),
            lifo: true,
            id: "mine",
            rejectExisting: true,
            onFailure: .continue,
            maxStalledCount: 0
        )
        let wire = try options.wire()
        #expect(wire.priority == 5)
        #expect(wire.delay == 2)
        #expect(wire.attempts == 4)
        #expect(wire.backoff == .init(kind: .exponential, delay: 1000, maximum: 60_000, jitter: 250))
        #expect(wire.lifo && wire.rejectExisting)
        #expect(wire.onFailure == .continue)
        #expect(wire.maxStalledCount == 0)
        var read = JobOptions(wire, id: "mine")
        read.delay = .microseconds(1500)
        #expect(read == options)
    }

    @Test func `edges carry conditions, in trees too`() throws {
        var flow = Flow("order")
        let charge = flow.add("charge", queue: "q", id: "charge")
        flow.add("apologize", queue: "q", after: [.init(charge, condition: .failure)])
        flow.add(
            "close",
            queue: "q",
            after: [.init(id: "charge", condition: .whatever), .init(job: JobID(rawValue: 7))]
        )
        let nodes = try message(flow).items[0].nodes
        #expect(nodes[1].dependencies == [.init(.node(0), condition: .failure)])
        #expect(nodes[2].dependencies == [.init(.job(.init(7))), .init(.node(0), condition: .whatever)].reversed())
        let tree = FlowJob("root", queue: "q") { FlowJob("child", queue: "q", condition: .whatever) }
        #expect(try message(Flow(tree)).items[0].nodes[1].dependencies == [.init(.node(0), condition: .whatever)])
    }

    @Test func `one dependency with two conditions is refused`() throws {
        var flow = Flow()
        let a = flow.add("a", queue: "q")
        flow.add("b", queue: "q", after: [.init(a), .init(a, condition: .failure)])
        #expect(try error(flow).code == .duplicateDependency)
    }

    @Test func `metadata goes with its flow, up to its limit`() throws {
        var flow = Flow("nightly", metadata: ["owner": "data"])
        flow.add("a", queue: "q")
        let item = try message(flow).items[0]
        #expect(item.metadata == Payload(.json, Array(#"{"owner":"data"}"#.utf8)))
        flow.metadata = NoPayload()
        #expect(try message(flow).items[0].metadata == nil)
        flow.metadata = [UInt8](repeating: 0, count: Limits.metadataBytesMax + 1)
        #expect(try error(flow).message.contains("at most 4096"))
    }

    @Test func `a key without a held job is refused`() throws {
        let tree = FlowJob("root", queue: "q", key: "k")
        #expect(try error(Flow(tree)).message.contains("children that a handler adds"))
    }

    @Test func `a job alone is an item of its own kind`() throws {
        var plan = AddPlan()
        try plan.add(Flow(alone: PlannedJob(name: "a", queue: "q", data: 1, options: JobOptions())))
        #expect(plan.items.map(\.kind) == [.job])
        var two = Flow(alone: PlannedJob(name: "a", queue: "q", data: 1, options: JobOptions()))
        two.add("b", queue: "q")
        #expect(throws: PenstockError.self) { try plan.add(two) }
    }
}
