/// Sees what a ``FlowProducer`` adds, before it is sent: to log it, to audit it, to change it or to refuse it.
///
/// ```swift
/// struct Tenancy: FlowInterceptor {
///     let tenant: String
///     func intercept(_ flows: inout [Flow]) async throws {
///         for index in flows.indices {
///             flows[index].metadata = ["tenant": tenant]
///             flows[index].updateJobs { $0.queue = "\(tenant)-\($0.queue)" }
///         }
///     }
/// }
/// let flows = FlowProducer(client, interceptors: [Tenancy(tenant: "acme")])
/// ```
///
/// What a handler adds to its own job, and what a ``Queue`` adds, goes through no
/// producer and so through no interceptor.
public protocol FlowInterceptor: Sendable {
    /// Called once for each add, with all of its flows; a job alone comes as a flow with ``Flow/isJobAlone``.
    ///
    /// The options of the jobs are those that were given; defaults are filled in
    /// later. Flows may be changed in place, not exchanged, added or taken away.
    ///
    /// - Throws: anything: the add is then refused whole. A ``PenstockError`` reaches the caller as it is, any other
    ///   error as one with the code ``PenstockError/Code/refusedByInterceptor``.
    func intercept(_ flows: inout [Flow]) async throws
}
