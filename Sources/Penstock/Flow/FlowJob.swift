/// A job and the jobs it waits for, its children: a tree.
///
/// ```swift
/// FlowJob("renovate-interior", queue: "renovate") {
///     FlowJob("paint", queue: "steps", data: Step(place: "ceiling"))
///     for wall in walls {
///         FlowJob("paint", queue: "steps", data: Step(place: wall))
///     }
/// }
/// ```
///
/// Children run before their parent and at the same time as each other. What
/// happens to the parent if one of them fails for good is that child's
/// `options.onFailure`; with another `condition` the parent runs after the
/// failure, or whatever the end.
public struct FlowJob: Sendable {
    public let name: String
    public let queue: String
    public var options: JobOptions
    /// After which end of this job its parent runs.
    public var condition: EdgeCondition
    /// A name for the job under the one that a worker holds: see ``Job/addChildren(_:)-([FlowJob])``.
    ///
    /// 1...255 bytes of UTF-8. It has a meaning only there; anywhere else it is refused.
    public var key: String?
    public var children: [FlowJob]
    let data: any Encodable & Sendable

    /// - Parameter data: any value that can be encoded; none if it is left out.
    public init<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil,
        children: [FlowJob] = []
    ) {
        self.name = name
        self.queue = queue
        self.data = data
        self.options = options
        self.condition = condition
        self.key = key
        self.children = children
    }

    /// - Parameter data: any value that can be encoded; none if it is left out.
    public init<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil,
        @FlowJobBuilder children: () throws -> [FlowJob]
    ) rethrows {
        self.init(
            name,
            queue: queue,
            data: data,
            options: options,
            condition: condition,
            key: key,
            children: try children()
        )
    }
}

extension PlannedJob {
    /// The job at the root of a tree, without its children.
    init(_ job: FlowJob) {
        self.init(name: job.name, queue: job.queue, data: job.data, options: job.options, key: job.key)
    }
}

/// Collects the children of a ``FlowJob``: one after the other, with `if`, `switch` and `for`.
@resultBuilder
public enum FlowJobBuilder {
    public static func buildExpression(_ job: FlowJob) -> [FlowJob] { [job] }
    public static func buildExpression(_ jobs: [FlowJob]) -> [FlowJob] { jobs }
    public static func buildBlock(_ parts: [FlowJob]...) -> [FlowJob] { parts.flatMap { $0 } }
    public static func buildOptional(_ part: [FlowJob]?) -> [FlowJob] { part ?? [] }
    public static func buildEither(first part: [FlowJob]) -> [FlowJob] { part }
    public static func buildEither(second part: [FlowJob]) -> [FlowJob] { part }
    public static func buildArray(_ parts: [[FlowJob]]) -> [FlowJob] { parts.flatMap { $0 } }
}
