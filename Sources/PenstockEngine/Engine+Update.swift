import LMDB
import PenstockWire

/// Changing a job that exists.
extension Engine {
    /// Changes a job that has not finished and that nobody holds.
    mutating func update(
        _ request: Update,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        var record = try present(request.job, &transaction)
        guard !isLeased(request.job, record) else {
            throw .refused(
                WireError(.jobLeased, "Job \(request.job) is leased: only its worker can change it, and only its data.")
            )
        }
        guard !record.state.isFinished else {
            throw .refused(
                WireError(.wrongState, "Job \(request.job) is \(record.state): only an unfinished job can be changed.")
            )
        }
        guard request.delay == nil || record.state == .delayed else {
            throw .refused(
                WireError(
                    .wrongState,
                    "Job \(request.job) is \(record.state): only the delay of a delayed job can be changed."
                )
            )
        }
        try planning { () throws(LMDBError) in try carryOut(request, &record, &transaction, &result) }
    }

    private mutating func carryOut(
        _ request: Update,
        _ record: inout JobRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let job = request.job
        if let data = request.data { try replaceData(of: job, record, data, &transaction) }
        let isWaiting = record.state == .waiting
        let readySince = record.due
        // A lease that is being granted just now is void: its worker was sent what the job was before.
        if isWaiting { try takeAway(&record, of: job, &transaction, &result) }
        if let priority = request.priority { record.priority = priority }
        if isWaiting {
            try makeReady(&record, of: job, &transaction, &result)
            record.due = readySince
        }
        if let delay = request.delay {
            try leaveIndex(record, of: job, &transaction)
            if delay > 0 {
                try self.delay(&record, of: job, by: delay, &transaction, &result)
            } else {
                try makeReady(&record, of: job, &transaction, &result)
            }
        }
        try rewrite(record, of: job, &transaction)
    }
}
