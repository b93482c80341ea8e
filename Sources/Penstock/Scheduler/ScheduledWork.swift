import NIOCore
import PenstockWire

/// What a scheduler adds at every run: one job, or one flow.
///
/// It is added again and again, so nothing in it may exist only once: no job has an
/// id of the caller's or a deduplication, depends on a job that exists already, or is
/// repeated by itself.
/// No producer is part of this: its defaults, options and interceptors do not apply.
public struct ScheduledWork: Sendable {
    let flow: Flow

    /// A job alone.
    public static func job<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions()
    ) -> ScheduledWork {
        ScheduledWork(flow: Flow(alone: PlannedJob(name: name, queue: queue, data: data, options: options)))
    }

    /// A graph.
    public static func flow(_ flow: Flow) -> ScheduledWork { ScheduledWork(flow: flow) }

    /// A tree: every child is a dependency of its parent.
    public static func flow(_ tree: FlowJob) -> ScheduledWork { ScheduledWork(flow: Flow(tree)) }
}

extension ScheduledWork {
    /// The command that sets a scheduler with this work.
    func frame(_ id: String, _ rule: SchedulerRule) throws(PenstockError) -> ByteBuffer {
        var plan = AddPlan()
        try plan.add(flow)
        guard plan.jobCount <= Limits.jobsPerAddMax, plan.dataBytes <= Limits.frameBytesMax else { throw .workTooLarge }
        let template = AddTail(queues: plan.queues, items: plan.items)
        let frame = ByteBuffer(SetScheduler(sequence: 0, id: id, rule: rule, template: template))
        guard frame.readableBytes <= Limits.frameBytesMax else { throw .workTooLarge }
        return frame
    }
}

extension PenstockError {
    fileprivate static var workTooLarge: PenstockError {
        PenstockError(
            .addTooLarge,
            "What a scheduler adds holds at most \(Limits.jobsPerAddMax) jobs and takes at most \(Limits.frameBytesMax) bytes."
        )
    }
}
