import PenstockWire

/// A worker, as its session sees it. Called on the event loop; must not block.
protocol LeaseHolder: Sendable {
    /// The server has taken the subscription: jobs can come.
    func subscribed()
    /// Leased jobs have arrived.
    /// - Returns: leases that the worker does not want any more, to be given back.
    func receive(_ deliveries: [Delivery]) -> [LeaseToken]
    /// The server has ended leases; those of other workers may be among them.
    func revoke(_ leases: [LeaseToken: JobCancellation])
    /// The server asks for reserved jobs back; those of other workers may be among them.
    /// - Returns: the leases of those that have not started, to be given back.
    func recall(_ tokens: [LeaseToken]) -> [LeaseToken]
    /// Every lease is lost: the server knows the session no longer.
    func loseAll()
    /// No job will come any more: the server refused the subscription, or the client has ended.
    func end(_ error: PenstockError)
    /// What the worker holds, at a resume.
    func held() -> HeldLeases
}
