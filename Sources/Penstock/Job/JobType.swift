/// A kind of job: its name, its data and its result, checked by the compiler on both sides.
///
/// ```swift
/// struct SendMail: JobType {
///     static let jobName = "send-mail"
///     typealias Output = Receipt
///     var to: String
///     var template: String
/// }
/// ```
///
/// The type itself is the data. It goes where jobs are added, and a worker's
/// ``JobHandler`` gets it back:
///
/// ```swift
/// let mail = try await Queue("mail", client).add(SendMail(to: "a@b.example", template: "welcome"))
/// let worker = Worker(client, queue: "mail", handlers: [
///     JobHandler(SendMail.self) { job in try await mailer.send(job.data) },
///     JobHandler(Digest.self) { job in try await digest(of: job.data.day) },
/// ])
/// let receipt = try await mail.result()        // a Receipt
/// ```
public protocol JobType: Codable & Sendable {
    /// What a handler returns. Left out where it is nothing.
    associatedtype Output: Codable & Sendable = NoPayload
    /// 1...255 bytes of UTF-8. Do not change it while such jobs are stored.
    static var jobName: String { get }
}
