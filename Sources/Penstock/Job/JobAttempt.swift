import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One attempt at a job.
public struct JobAttempt: Hashable, Sendable {
    /// How an attempt ended.
    public enum Ending: String, Hashable, Sendable, Codable, CaseIterable {
        /// It has not: a worker runs the job.
        case running
        case completed
        /// The handler threw.
        case failed
        /// It took longer than the job's timeout.
        case timedOut
        /// Its worker was lost.
        case stalled
        /// Its worker gave the job back.
        case released
        /// Its handler put the job off, or waits for children.
        case moved
        /// The job was cancelled, finished by hand, or taken away otherwise.
        case withdrawn
    }

    /// 1 for the first.
    public let number: Int
    public let ending: Ending
    /// When its lease began, by the server's clock.
    public let startedAt: Date
    /// When it ended, by the server's clock; nil while it runs.
    public let finishedAt: Date?
    /// The name of the worker; nil where it is not known, as of an attempt that completed the job.
    public let worker: String?
    /// What it failed with, at most 1,024 bytes of it; nil where it did not fail.
    public let message: String?
}

extension JobAttempt {
    init(_ row: AttemptList.Row) {
        number = Int(row.number)
        ending = Ending(row.ending)
        startedAt = Date(milliseconds: row.startedAt)
        finishedAt = Date(optionalMilliseconds: row.finishedAt)
        worker = row.worker.isEmpty ? nil : row.worker
        message = row.message.isEmpty ? nil : row.message
    }
}

extension JobAttempt.Ending {
    init(_ ending: AttemptEnding) {
        switch ending {
        case .running: self = .running
        case .completed: self = .completed
        case .failed: self = .failed
        case .timedOut: self = .timedOut
        case .stalled: self = .stalled
        case .released: self = .released
        case .moved: self = .moved
        case .withdrawn: self = .withdrawn
        }
    }
}

extension JobHandle {
    /// The attempts at the job, the oldest first: the newest 100 that have ended, and the one that runs.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where retention has taken the job.
    public func attempts() async throws(PenstockError) -> [JobAttempt] {
        let list = try await client.read(AttemptList.self, GetAttempts(job: id.wire), over: link)
        return list.rows.map { JobAttempt($0) }
    }
}
