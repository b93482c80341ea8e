extension Workload {
    /// Calls `body` with a client of the server that was named, or of a fresh one that ends with the call.
    func withClient<Result>(keepingAll keepsAll: Bool = true, _ body: (WireClient) throws -> Result) throws -> Result {
        try pinning.holdClient()
        let own = server == nil ? try ServerProcess(below: parent, pinning: pinning, keepsAll: keepsAll) : nil
        defer { own?.stop() }
        guard let address = server ?? own?.address else { preconditionFailure("there is one or the other") }
        let client = try WireClient(to: address)
        defer { client.close() }
        return try body(client)
    }
}
