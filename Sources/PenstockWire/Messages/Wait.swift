/// Asks to be answered when a job or a flow has finished.
///
///     u8 kind (0 job, 1 flow) | u64 id | u32 timeout (milliseconds; 0: the longest allowed, a day)
///
/// The answer has this opcode and the body of ``JobView`` or ``FlowView``; after
/// the timeout it is the error `timedOut`. A wait ends with its connection.
package struct Wait: WireMessage {
    package static let opcode = Opcode.wait
    package static let isReply = false

    package enum Target: Equatable, Sendable {
        case job(JobID)
        case flow(FlowID)
    }

    package var target: Target
    package var timeout: UInt32

    package init(target: Target, timeout: UInt32 = 0) {
        self.target = target
        self.timeout = timeout
    }

    package func encode(into writer: inout WireWriter) {
        switch target {
        case .job(let id):
            writer.u8(0)
            writer.jobID(id)
        case .flow(let id):
            writer.u8(1)
            writer.flowID(id)
        }
        writer.u32(timeout)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        let id = try reader.u64()
        switch kind {
        case 0: target = .job(JobID(id))
        case 1: target = .flow(FlowID(id))
        default: throw WireError(.invalidRequest, "\(kind) is nothing to wait for; 0 (job) and 1 (flow) are.")
        }
        timeout = try reader.u32()
    }
}
