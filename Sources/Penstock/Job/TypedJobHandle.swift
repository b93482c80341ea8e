import PenstockWire

/// A job of a type that exists: its result is one of that type.
///
/// An add of a ``JobType`` returns one; the ``job`` in it is good for all else.
public struct TypedJobHandle<Type: JobType>: Sendable {
    /// The job, to ask the server about and to act upon.
    public let job: JobHandle

    public var id: JobID { job.id }

    /// Waits until the job is finished, and returns its result.
    ///
    /// - Throws: ``JobFailedError`` if the job failed or was cancelled, and ``PenstockError`` as
    ///   ``JobHandle/wait(timeout:)`` does, or where the result is no `Output`.
    public func result(timeout: Duration? = nil) async throws -> Type.Output {
        try await job.result(as: Type.Output.self, timeout: timeout)
    }

    /// The data that the job has now.
    public func data() async throws(PenstockError) -> Type { try await job.info().data(as: Type.self) }
}

extension JobHandle {
    /// The job as one of a type: its result is then known to the compiler.
    ///
    /// - Throws: ``PenstockError``; its code is `decodingFailed` where the job has another name than the type.
    public func typed<Type: JobType>(as type: Type.Type) throws(PenstockError) -> TypedJobHandle<Type> {
        guard name == type.jobName else {
            throw PenstockError(
                .decodingFailed,
                "The job \(id) is a \(name); jobs of the type \(type) are called \(type.jobName)."
            )
        }
        return TypedJobHandle(job: self)
    }

    /// The results of those dependencies that are jobs of a type and have completed, in the order of the dependencies.
    ///
    /// - Throws: ``PenstockError``; its code is `decodingFailed` where a result is no `Output`.
    public func childrenValues<Type: JobType>(
        of type: Type.Type
    ) async throws(PenstockError) -> ChildrenValues<Type.Output> {
        var values: [ChildrenValues<Type.Output>.Element] = []
        for child in try await allDependencies(.processed) where child.name == type.jobName {
            guard let value = try child.valueIfAny(as: Type.Output.self) else { continue }
            values.append(.init(job: child.job, queue: child.queue, name: child.name, value: value))
        }
        return ChildrenValues(values)
    }
}

extension Job {
    /// The results of those dependencies that are jobs of a type. See ``JobHandle/childrenValues(of:)``.
    public func childrenValues<Type: JobType>(
        of type: Type.Type
    ) async throws(PenstockError) -> ChildrenValues<Type.Output> {
        try await handle.childrenValues(of: type)
    }

    /// Adds a job of a type that this one then depends on. See ``addChildren(_:)-([FlowJob])``.
    ///
    /// - Parameters:
    ///   - condition: after which end of the child this job runs on.
    ///   - key: a name for the child under this job, 1...255 bytes of UTF-8: it is not added twice.
    @discardableResult
    public func addChild<Type: JobType>(
        _ job: Type,
        queue: String,
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil
    ) async throws(PenstockError) -> TypedJobHandle<Type> {
        let child = FlowJob(job, queue: queue, options: options, condition: condition, key: key)
        return TypedJobHandle(job: try await addChildren([child])[0])
    }
}
