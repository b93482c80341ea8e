// What the closures of users become.

extension Worker {
    static func handler<Data: Decodable & Sendable, Result: Encodable & Sendable>(
        _ body: @escaping @Sendable (Job<Data>) async throws -> Result
    ) -> WorkerCore.Handler {
        { delivery, worker in
            try HandlerOutcome.encoded(result: try await body(try Job<Data>(delivery, worker)))
        }
    }

    static func handler<Data: Decodable & Sendable>(
        _ body: @escaping @Sendable (Job<Data>) async throws -> Void
    ) -> WorkerCore.Handler {
        { delivery, worker in
            try await body(try Job<Data>(delivery, worker))
            return .none
        }
    }
}
