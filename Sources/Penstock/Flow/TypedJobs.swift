// Jobs of a type, wherever jobs are added: the type has the name, and is the data.

extension FlowJob {
    /// A job of a type, and the jobs it waits for.
    public init<Type: JobType>(
        _ job: Type,
        queue: String,
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil,
        children: [FlowJob] = []
    ) {
        self.init(
            Type.jobName,
            queue: queue,
            data: job,
            options: options,
            condition: condition,
            key: key,
            children: children
        )
    }

    /// A job of a type, and the jobs it waits for.
    public init<Type: JobType>(
        _ job: Type,
        queue: String,
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil,
        @FlowJobBuilder children: () throws -> [FlowJob]
    ) rethrows {
        self.init(
            job,
            queue: queue,
            options: options,
            condition: condition,
            key: key,
            children: try children()
        )
    }
}

extension Flow {
    /// Adds a job of a type. See ``add(_:queue:id:data:options:after:dependsOn:onFailure:)-(_,_,_,_,_,FlowNode...,_,_)``.
    @discardableResult
    public mutating func add<Type: JobType>(
        _ job: Type,
        queue: String,
        id: String? = nil,
        options: JobOptions = JobOptions(),
        after dependencies: FlowNode...,
        dependsOn localIDs: [String] = [],
        onFailure: FailurePolicy? = nil
    ) -> FlowNode {
        add(
            job,
            queue: queue,
            id: id,
            options: options,
            after: dependencies.map { FlowDependency($0) },
            dependsOn: localIDs,
            onFailure: onFailure
        )
    }

    /// Adds a job of a type, with a policy for each edge, or with dependencies that exist already.
    @discardableResult
    public mutating func add<Type: JobType>(
        _ job: Type,
        queue: String,
        id: String? = nil,
        options: JobOptions = JobOptions(),
        after dependencies: [FlowDependency],
        dependsOn localIDs: [String] = [],
        onFailure: FailurePolicy? = nil
    ) -> FlowNode {
        add(
            Type.jobName,
            queue: queue,
            id: id,
            data: job,
            options: options,
            after: dependencies,
            dependsOn: localIDs,
            onFailure: onFailure
        )
    }
}

extension FlowProducer {
    /// Adds a job of a type alone, without a flow.
    ///
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the job may have been added, or not.
    @discardableResult
    public func add<Type: JobType>(
        _ job: Type,
        queue: String,
        options: JobOptions = JobOptions()
    ) async throws(PenstockError) -> TypedJobHandle<Type> {
        TypedJobHandle(job: try await add(Type.jobName, queue: queue, data: job, options: options))
    }
}

extension NewJob {
    /// A job of a type.
    public init<Type: JobType>(_ job: Type, options: JobOptions = JobOptions()) {
        self.init(Type.jobName, data: job, options: options)
    }
}

extension Queue {
    /// Adds a job of a type and returns once it is stored for good.
    ///
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the job may have
    ///   been added, or not; give it an id to be able to add it again.
    @discardableResult
    public func add<Type: JobType>(
        _ job: Type,
        options: JobOptions = JobOptions()
    ) async throws(PenstockError) -> TypedJobHandle<Type> {
        TypedJobHandle(job: try await add(Type.jobName, data: job, options: options))
    }
}
