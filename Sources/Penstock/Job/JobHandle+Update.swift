import PenstockWire

// Changing a job that waits, for its turn, its time or its dependencies.

extension JobHandle {
    /// Changes the data of a job that has not finished and that no worker holds.
    ///
    /// - Throws: ``PenstockError``; its code is `jobLeased` where a worker holds the job, and `wrongState` where it has
    ///   finished: a retry can give that one other data.
    public func update<Data: Encodable & Sendable>(data: Data) async throws(PenstockError) {
        let payload = try PayloadCoder.encode(data)
        try Checks.data(payload.bytes)
        try await client.carryOut(Update(sequence: 0, job: id.wire, data: payload.wire))
    }

    /// Changes the priority of a job that has not finished and that no worker holds. It keeps its
    /// place: among the jobs of its new priority it comes before those that came later.
    ///
    /// - Parameter priority: 0...2,097,151; 0 is the most urgent.
    /// - Throws: ``PenstockError``; its code is `jobLeased` or `wrongState` as in ``update(data:)``.
    public func changePriority(_ priority: Int) async throws(PenstockError) {
        guard let value = UInt32(exactly: priority), value <= Limits.priorityMax else {
            throw PenstockError(.invalidOption, "A priority of \(priority); 0 to \(Limits.priorityMax) are allowed.")
        }
        try await client.carryOut(Update(sequence: 0, job: id.wire, priority: value))
    }

    /// Changes how long a delayed job still waits.
    ///
    /// - Parameter delay: from now on; zero makes it ready at once. At most ten years.
    /// - Throws: ``PenstockError``; its code is `wrongState` where the job is not delayed.
    public func changeDelay(_ delay: Duration) async throws(PenstockError) {
        let milliseconds = try delay.wireMilliseconds("delay")
        try await client.carryOut(Update(sequence: 0, job: id.wire, delay: milliseconds))
    }
}
