import PenstockWire

/// A dependency of a job, and what became of it.
public struct Dependency: Hashable, Sendable {
    /// What a dependency left.
    public enum Outcome: Hashable, Sendable {
        /// Nothing: it has not ended yet, or has not ended with anything that this job keeps.
        case none
        /// It completed, or was resolved as processed; ``RawPayload/none`` where there is no result.
        case result(RawPayload)
        /// It failed or was cancelled; also where it was resolved by hand after that.
        case failure(message: String)
    }

    public let job: JobID
    public let queue: String
    public let name: String
    public let kind: DependencyKind
    /// What the dependent does if this dependency fails for good.
    public let onFailure: FailurePolicy
    /// After which end of the dependency the dependent runs.
    public let condition: EdgeCondition
    public let outcome: Outcome

    /// The key of the job: `queue:id`.
    public var key: String { "\(queue):\(job)" }

    /// The result of a dependency that completed, or was resolved as processed.
    ///
    /// One that returned nothing is nil as an optional, and ``RawPayload/none`` as a ``RawPayload``.
    ///
    /// - Throws: ``PenstockError/Code/decodingFailed``, also where there is no result that could be read.
    public func value<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value {
        guard let payload = result else {
            throw PenstockError(.decodingFailed, "The dependency \(key) (\(name)) has no result: it is \(kind).")
        }
        do throws(PenstockError) {
            return try payload.decode(as: type)
        } catch {
            throw PenstockError(error.code, "The result of \(key) (\(name)): \(error.message)")
        }
    }

    /// As ``value(as:)``, but nil where the dependency returned nothing and `Value` can't say so.
    func valueIfAny<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value? {
        if result == RawPayload.none { return try? value(as: type) }
        return try value(as: type)
    }

    /// A dependency that failed and was resolved as processed has completed for the job, with nothing.
    private var result: RawPayload? {
        if case .result(let payload) = outcome { return payload }
        return kind == .processed ? RawPayload.none : nil
    }
}

/// A place among the dependencies of a job.
public struct DependencyCursor: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Before the first.
    public static let start = DependencyCursor(rawValue: 0)
}

/// Dependencies of one kind, in the order in which the job has them.
public struct DependencyPage: Hashable, Sendable {
    public let kind: DependencyKind
    public let dependencies: [Dependency]
    /// Where the next page begins; nil where this was the last.
    public let next: DependencyCursor?
}

/// How many dependencies of a job are of each kind.
public struct DependencyCounts: Hashable, Sendable {
    public let unprocessed: Int
    public let processed: Int
    public let ignored: Int
    public let failed: Int

    public var total: Int { unprocessed + processed + ignored + failed }

    public subscript(kind: DependencyKind) -> Int {
        switch kind {
        case .unprocessed: unprocessed
        case .processed: processed
        case .ignored: ignored
        case .failed: failed
        }
    }
}

/// A dependency that failed, and whose failure does not matter to the job.
public struct ChildFailure: Hashable, Sendable {
    public let job: JobID
    public let queue: String
    public let name: String
    /// What its last attempt failed with, or why it was cancelled; empty where nothing is known.
    public let message: String

    /// The key of the job: `queue:id`.
    public var key: String { "\(queue):\(job)" }
}

extension ChildFailure {
    init(_ dependency: Dependency) {
        job = dependency.job
        queue = dependency.queue
        name = dependency.name
        message = if case .failure(let message) = dependency.outcome { message } else { "" }
    }
}

extension DependencyPage {
    init(_ page: DependencyPages.Page) {
        let kind = DependencyKind(page.kind)
        self.kind = kind
        dependencies = page.rows.map { row in
            Dependency(
                job: JobID(row.job),
                queue: row.queue,
                name: row.name,
                kind: kind,
                onFailure: FailurePolicy(row.policy),
                condition: EdgeCondition(row.condition),
                outcome: Dependency.Outcome(row.outcome, of: kind)
            )
        }
        next = page.next == 0 ? nil : DependencyCursor(rawValue: page.next)
    }
}

extension Dependency.Outcome {
    init(_ outcome: JobOutcome, of kind: DependencyKind) {
        self =
            switch outcome {
            // What completed has a result, if only that there is none.
            case .none: kind == .processed ? .result(.none) : .none
            case .result(let contentType, let bytes): .result(RawPayload(contentType, bytes))
            case .failure(let message, _): .failure(message: message)
            }
    }
}

extension RawPayload {
    init(_ contentType: ContentType, _ bytes: [UInt8]) {
        self.init(bytes: bytes, kind: Kind(rawValue: contentType.rawValue))
    }
}

extension DependencyCounts {
    init(_ counts: PenstockWire.DependencyCounts) {
        unprocessed = Int(counts.unprocessed)
        processed = Int(counts.processed)
        ignored = Int(counts.ignored)
        failed = Int(counts.failed)
    }
}
