import PenstockWire

/// What the server shows: the other side of what the checker compares.
struct Observation: Sendable {
    /// How much of the truth the ledger knows.
    enum Moment: Sendable {
        /// The clients have not come back: open commands may have been applied or not.
        case beforeResume
        /// Every command has its outcome.
        case settled
        /// And every job is said to have finished.
        case drained
    }

    struct Flow: Sendable {
        var view: FlowView
        var nodes: [FlowNodePage.Row]
        var edges: [FlowEdgePage.Row]
    }

    var moment: Moment
    /// The server's last commit before anything was read.
    var commit: UInt64 = 0
    /// Those that were asked for; nil where there is none.
    var jobs: [JobID: JobView?] = [:]
    var flows: [FlowID: Flow?] = [:]
    var queues: [String: StateCounts] = [:]
}

extension Observation {
    /// Of single jobs in one queue.
    init(moment: Moment, of jobs: [JobID], on server: ServerProcess) throws {
        let observer = try Observer(port: server.port)
        self.moment = moment
        commit = try observer.server().commit
        self.jobs = try observer.jobs(jobs)
        queues = try observer.queues([Producer.queues[0]])
    }
}
