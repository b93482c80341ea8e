import PenstockWire

/// What the worker of a job does besides ending its attempt.
extension WireClient {
    /// Adds to the held job and gives the ids of the nodes.
    ///
    /// - Throws: the refusal, as a ``WireRefusal``.
    @discardableResult
    func addHeld(_ delivery: Delivery, _ items: [AddItem]) throws -> [JobID] {
        try ids(of: heldAdd(delivery, .add, items))
    }

    /// Completes the held job, adds what follows it, and gives the ids of the nodes.
    @discardableResult
    func complete(_ delivery: Delivery, result: Payload = .none, adding items: [AddItem]) throws -> [JobID] {
        try ids(of: heldAdd(delivery, .complete, result: result, items))
    }

    private func ids(of message: HeldAdd) throws -> [JobID] {
        send(bytes: WireClient.frame(message, capacity: 512 + message.add.items.count * 128))
        let outcome = try succeeded(message.sequence)
        var reader = WireReader(outcome.body.rawSpan)
        return try AddOutcome(from: &reader).items.flatMap(\.jobIDs)
    }

    func heldAdd(
        _ delivery: Delivery,
        _ action: HeldAdd.Action,
        result: Payload = .none,
        _ items: [AddItem]
    ) -> HeldAdd {
        HeldAdd(
            sequence: newSequence(),
            slot: delivery.slot,
            token: delivery.token,
            action: action,
            result: result,
            add: AddTail(queues: ["children"], items: items)
        )
    }

    /// Puts the held job off; false where nothing is pending.
    func move(
        _ delivery: Delivery,
        to place: Move.Place = .waitingChildren,
        delay: UInt64 = 0,
        data: Payload? = nil
    ) throws -> Bool {
        let message = moving(delivery, to: place, delay: delay, data: data)
        send(message)
        return try hasMoved(message.sequence)
    }

    func moving(
        _ delivery: Delivery,
        to place: Move.Place = .waitingChildren,
        delay: UInt64 = 0,
        data: Payload? = nil
    ) -> Move {
        Move(
            sequence: newSequence(),
            slot: delivery.slot,
            token: delivery.token,
            to: place,
            delay: delay,
            data: data
        )
    }

    func hasMoved(_ sequence: UInt64) throws -> Bool {
        let outcome = try succeeded(sequence)
        var reader = WireReader(outcome.body.rawSpan)
        return try MoveOutcome(from: &reader).hasMoved
    }

    /// The outcome of a command that was not refused.
    func succeeded(_ sequence: UInt64) throws -> Outcome {
        let outcome = try outcome(sequence)
        guard outcome.status == 0 else {
            throw WireRefusal(code: ErrorCode(rawValue: outcome.status) ?? .internalError)
        }
        return outcome
    }
}

extension AddItem {
    /// A job alone.
    static func single(_ name: String, after jobs: [JobID] = [], customID: String? = nil) -> AddItem {
        let dependencies = jobs.map { DependencyFields(.job($0)) }
        let node = AddNode(queue: 0, name: name, dependencies: dependencies, customID: customID)
        return AddItem(kind: .job, nodes: [node])
    }

    /// A job alone that is a child of the held one.
    static func child(
        _ name: String = "child",
        _ policy: FailurePolicy? = nil,
        key: String? = nil,
        customID: String? = nil
    ) -> AddItem {
        let node = AddNode(queue: 0, name: name, customID: customID, childKey: key)
        return AddItem(kind: .job, child: ChildFields(policy: policy), nodes: [node])
    }
}

/// The code with which `body` is refused; nil where it is not.
func refusal(_ body: () throws -> Void) throws -> ErrorCode? {
    do { try body() } catch let error as WireRefusal { return error.code }
    return nil
}
