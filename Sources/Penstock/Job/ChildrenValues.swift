/// The results of a job's dependencies, in the order of the dependencies.
///
/// ```swift
/// let costs = try await job.childrenValues(as: Int.self)
/// let total = costs.values.reduce(0, +)
/// let paint = costs.values(named: "paint")
/// ```
public struct ChildrenValues<Value: Sendable>: RandomAccessCollection, Sendable {
    /// One dependency and its result.
    public struct Element: Sendable {
        public let job: JobID
        public let queue: String
        public let name: String
        public let value: Value

        /// The key of the job: `queue:id`.
        public var key: String { "\(queue):\(job)" }
    }

    private let elements: [Element]

    init(_ elements: [Element]) { self.elements = elements }

    public var startIndex: Int { elements.startIndex }
    public var endIndex: Int { elements.endIndex }
    public subscript(position: Int) -> Element { elements[position] }

    public var values: [Value] { elements.map(\.value) }
    public var keys: [String] { elements.map(\.key) }

    /// The value of the dependency with the key `queue:id`.
    /// - Complexity: O(count).
    public subscript(key: String) -> Value? { elements.first { $0.key == key }?.value }

    /// The values of the dependencies with a name, in the order of the dependencies.
    /// - Complexity: O(count).
    public func values(named name: String) -> [Value] { elements.filter { $0.name == name }.map(\.value) }

    /// The value of a dependency.
    /// - Complexity: O(count).
    public func value(of job: JobID) -> Value? { elements.first { $0.job == job }?.value }
}

extension ChildrenValues: Equatable where Value: Equatable {}
extension ChildrenValues.Element: Equatable where Value: Equatable {}
