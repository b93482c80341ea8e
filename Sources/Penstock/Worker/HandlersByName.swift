import Logging
import PenstockWire

/// Finds the handler of each job by its name.
struct HandlersByName: Sendable {
    private let handlers: [String: WorkerCore.Handler]
    private let unknownNames: UnknownNames

    init(_ handlers: [JobHandler], _ unknownNames: UnknownNames) {
        precondition(!handlers.isEmpty, "a worker has at least one handler")
        self.handlers = Dictionary(handlers.map { ($0.name, $0.run) }) { _, _ in
            preconditionFailure("a worker has one handler for each name")
        }
        self.unknownNames = unknownNames
    }

    func run(_ delivery: Delivery, _ worker: WorkerCore) async throws -> RawPayload {
        if let handler = handlers[delivery.name] { return try await handler(delivery, worker) }
        let job = try Job<RawPayload>(delivery, worker)
        switch unknownNames.choice {
        case .giveBack(let delay):
            job.logger.warning("No handler has the name of a job: it is given back", metadata: ["delay": "\(delay)"])
            throw Delayed(by: delay)
        case .fail:
            job.logger.warning("No handler has the name of a job: it fails")
            throw UnrecoverableError("No handler of the worker has the name \(delivery.name).")
        }
    }
}
