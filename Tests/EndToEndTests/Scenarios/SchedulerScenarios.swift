import Foundation
import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Schedulers` {
    private func info(_ client: PenstockClient, _ id: String) async throws -> SchedulerInfo? {
        for try await scheduler in client.schedulers.list() where scheduler.id == id { return scheduler }
        return nil
    }

    /// True when the scheduler has made so many runs.
    private func hasRun(_ client: PenstockClient, _ id: String, _ runs: Int) async throws -> Bool {
        try await eventually { try await info(client, id)?.runs == runs }
    }

    /// Completes what waits in the queue, and returns how many jobs that were.
    private func complete(_ client: PenstockClient, _ queue: String, _ count: Int) async throws {
        let done = Record<Void>()
        let worker = Worker(client, queue: queue) { (job: Job<RawPayload>) in done.add(()) }
        try await running(worker) { await done.wait(for: count) }
    }

    private func set(_ server: TestServer, to date: Date) {
        let milliseconds = date.timeIntervalSince1970 * 1000 - Double(server.wallMilliseconds)
        server.setWallClock(forward: .milliseconds(milliseconds))
    }

    private let work = ScheduledWork.job("tick", queue: "q", data: 7)

    /// Seconds between the two, of a date that is there.
    private func seconds(_ date: Date?, _ server: TestServer) -> TimeInterval {
        guard let date else { return .infinity }
        return date.timeIntervalSince1970 - TimeInterval(server.wallMilliseconds) / 1000
    }

    @Test func `two workers run each occurrence once`() async throws {
        try await withPenstock { server, client in
            let upserted = try await client.schedulers.upsert("tick", .every(.seconds(3600)), adds: work)
            #expect(upserted.isNew && abs(seconds(upserted.next, server) - 3600) < 30)
            let seen = Record<JobID>()
            let workers = (0..<2).map { _ in
                Worker(client, queue: "q") { (job: Job<Int>) in
                    #expect(job.data == 7 && job.name == "tick")
                    seen.add(job.id)
                }
            }
            try await running(workers[0], workers[1]) {
                for run in 1...5 {
                    server.advance(by: .seconds(3600))
                    await seen.wait(for: run)
                    let last = try #require(try await info(client, "tick"))
                    #expect(last.runs == run && last.lastJob == seen.entries.last && last.lastFlow == nil)
                    try await client.job(seen.entries.last!).wait()
                }
            }
            #expect(Set(seen.entries).count == 5 && seen.count == 5)
            #expect(try await Queue("q", client).counts().total == 5)
        }
    }

    @Test func `cron runs in its time zone, over a change of its clocks too`() async throws {
        try await withPenstock { server, client in
            let noon = try Date("2027-03-27T12:00:00Z", strategy: .iso8601)
            set(server, to: noon)
            let daily = Schedule.cron("30 2 * * *", timeZone: "Europe/Berlin")
            let upserted = try await client.schedulers.upsert("daily", daily, adds: work)
            #expect(try upserted.next == Date("2027-03-28T01:00:00Z", strategy: .iso8601))
            server.advance(by: .seconds(13 * 3600))
            #expect(try await hasRun(client, "daily", 1))
            let row = try #require(try await info(client, "daily"))
            #expect(try row.next == Date("2027-03-29T00:30:00Z", strategy: .iso8601))
            #expect(row.schedule == daily && row.missedRuns == .latest && row.limit == nil)
        }
    }

    @Test func `a scheduler ends with its limit, or with its end, and is listed until it is removed`() async throws {
        try await withPenstock { server, client in
            let now = Date(timeIntervalSince1970: Double(server.wallMilliseconds) / 1000)
            let hour = Schedule.every(.seconds(3600))
            try await client.schedulers.upsert("limit", hour, adds: .job("a", queue: "q"), limit: 2)
            try await client.schedulers.upsert("end", hour, adds: .job("b", queue: "q"), end: now + 3 * 3600 - 600)
            try await client.schedulers.upsert("marker", hour, adds: .job("c", queue: "q"))
            let done = Record<String>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in done.add(job.name) }
            try await running(worker) {
                for run in 1...4 {
                    server.advance(by: .seconds(3600))
                    let isMade = try await hasRun(client, "marker", run)
                    let jobs = run < 3 ? 3 * run : 4 + run
                    let isDone = try await eventually { try await Queue("q", client).counts().completed == jobs }
                    #expect(isMade && isDone)
                }
            }
            #expect(done.entries.filter { $0 == "a" }.count == 2 && done.entries.filter { $0 == "b" }.count == 2)
            let rows = try await [info(client, "limit"), info(client, "end")]
            #expect(rows.map { $0?.next } == [nil, nil] && rows.map { $0?.runs } == [2, 2])
            try await client.schedulers.remove("limit")
            try await client.schedulers.remove("end")
            #expect(await code { try await client.schedulers.remove("end") } == .schedulerNotFound)
            #expect(try await info(client, "limit") == nil)
        }
    }

    @Test func `the server tells the next runs, over a change of clocks, up to the limit and the end`() async throws {
        try await withPenstock { server, client in
            let noon = try Date("2027-03-26T12:00:00Z", strategy: .iso8601)
            set(server, to: noon)
            let schedulers = client.schedulers
            let daily = Schedule.cron("30 2 * * *", timeZone: "Europe/Berlin")
            func dates(_ texts: String...) throws -> [Date] { try texts.map { try Date($0, strategy: .iso8601) } }
            try await schedulers.upsert("daily", daily, adds: work)
            // 02:30 is left out on the 28th.
            let days = try dates("2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z")
            #expect(try await schedulers.nextRuns(of: "daily", count: 3) == days)
            #expect(try await schedulers.nextRuns(of: "daily", count: 100).count == 100)
            try await schedulers.upsert("limit", daily, adds: work, limit: 2)
            #expect(try await schedulers.nextRuns(of: "limit") == Array(days[..<2]))
            try await schedulers.upsert("end", daily, adds: work, end: days[1])
            #expect(try await schedulers.nextRuns(of: "end") == Array(days[..<2]))
            server.advance(by: .seconds(14 * 3600))
            #expect(try await hasRun(client, "limit", 1))
            #expect(try await schedulers.nextRuns(of: "limit") == [days[1]])
            // What a run added is unfinished until then, and no other is made.
            _ = try await Queue("q", client).drain()
            server.advance(by: .seconds(24 * 3600))
            #expect(try await hasRun(client, "limit", 2))
            #expect(try await schedulers.nextRuns(of: "limit").isEmpty)
            #expect(try await schedulers.nextRuns(of: "end").isEmpty)
        }
    }

    @Test func `next runs of no scheduler, and more of them than may be asked for, are refused`() async throws {
        try await withPenstock { _, client in
            let schedulers = client.schedulers
            #expect(await code { try await schedulers.nextRuns(of: "none") } == .schedulerNotFound)
            #expect(await code { try await schedulers.nextRuns(of: "") } == .invalidName)
            try await schedulers.upsert("hourly", .every(.seconds(3600)), adds: work)
            for count in [0, -1, 101] {
                #expect(await code { try await schedulers.nextRuns(of: "hourly", count: count) } == .invalidRequest)
            }
            let runs = try await schedulers.nextRuns(of: "hourly", count: 3)
            #expect(zip(runs, runs.dropFirst()).map { $1.timeIntervalSince($0) } == [3600, 3600])
        }
    }

    @Test func `the first run is made at once, or at the start`() async throws {
        try await withPenstock { server, client in
            let start = Date(timeIntervalSince1970: Double(server.wallMilliseconds) / 1000) + 1800
            let hour = Schedule.every(.seconds(3600))
            try await client.schedulers.upsert("now", hour, adds: .job("a", queue: "a"), immediately: true)
            let cron = ScheduledWork.job("b", queue: "b")
            try await client.schedulers.upsert("now cron", .cron("@yearly"), adds: cron, immediately: true)
            let later = try await client.schedulers.upsert("later", hour, adds: .job("c", queue: "c"), start: start)
            #expect(abs(seconds(later.next, server) - 1800) < 30)
            #expect(try await hasRun(client, "now", 1))
            #expect(try await hasRun(client, "now cron", 1))
            #expect(abs(seconds(try await info(client, "now")?.next, server) - 3600) < 30)
            #expect(try await info(client, "later")?.runs == 0)
            server.advance(by: .seconds(1800))
            #expect(try await hasRun(client, "later", 1))
            // A program that sets it again when it starts does not make another first run.
            let again = try await client.schedulers.upsert("now", hour, adds: .job("a", queue: "a"), immediately: true)
            #expect(!again.isNew && abs(seconds(again.next, server) - 1800) < 30)
        }
    }

    @Test func `while the server is stopped runs are missed: one, each or none of them is made`() async throws {
        try await withPenstock { server, client in
            for (id, rule) in [("latest", MissedRuns.latest), ("all", .all), ("none", .none)] {
                let work = ScheduledWork.job(id, queue: id)
                try await client.schedulers.upsert(id, .every(.seconds(3600)), adds: work, missedRuns: rule)
            }
            server.stop()
            server.advance(by: .seconds(5 * 3600 + 600))
            try server.start()
            #expect(try await hasRun(client, "latest", 1))
            let seen = Record<JobID>()
            let worker = Worker(client, queue: "all") { (job: Job<RawPayload>) in seen.add(job.id) }
            try await running(worker) { await seen.wait(for: 5) }
            #expect(try await hasRun(client, "all", 5))
            #expect(try await info(client, "none")?.runs == 0)
            for id in ["latest", "all", "none"] {
                #expect(abs(seconds(try await info(client, id)?.next, server) - 3000) < 30)
            }
        }
    }

    @Test func `while the last run has not finished no other is made, and the schedule goes on`() async throws {
        try await withPenstock { server, client in
            try await client.schedulers.upsert("tick", .every(.seconds(3600)), adds: work)
            try await client.schedulers.upsert("marker", .every(.seconds(3600)), adds: .job("m", queue: "m"))
            server.advance(by: .seconds(3600))
            #expect(try await hasRun(client, "marker", 1))
            for run in 2...3 {
                try await complete(client, "m", 1)
                server.advance(by: .seconds(3600))
                #expect(try await hasRun(client, "marker", run))
            }
            let row = try #require(try await info(client, "tick"))
            #expect(row.runs == 1 && abs(seconds(row.next, server) - 3600) < 30)
            try await complete(client, "q", 1)
            server.advance(by: .seconds(3600))
            #expect(try await hasRun(client, "tick", 2))
        }
    }

    @Test func `a scheduler that is set again takes the new work and keeps its next occurrence`() async throws {
        try await withPenstock { server, client in
            let hour = Schedule.every(.seconds(3600))
            try await client.schedulers.upsert("tick", hour, adds: work)
            server.advance(by: .seconds(3600))
            #expect(try await hasRun(client, "tick", 1))
            try await complete(client, "q", 1)
            server.advance(by: .seconds(1800))
            let kept = try await client.schedulers.upsert("tick", hour, adds: .job("other", queue: "q"))
            #expect(!kept.isNew && abs(seconds(kept.next, server) - 1800) < 30)
            server.advance(by: .seconds(1800))
            #expect(try await hasRun(client, "tick", 2))
            let job = try #require(try await info(client, "tick")?.lastJob)
            #expect(try await client.job(job).info().name == "other")
            let anew = try await client.schedulers.upsert("tick", .every(.seconds(7200)), adds: work)
            #expect(abs(seconds(anew.next, server) - 7200) < 30)
        }
    }

    @Test func `a whole flow is added at every run`() async throws {
        try await withPenstock { server, client in
            var nightly = Flow("nightly")
            let extract = nightly.add("extract", queue: "q")
            nightly.add("load", queue: "q", after: extract)
            try await client.schedulers.upsert("nightly", .every(.seconds(3600)), adds: .flow(nightly))
            let names = Record<String>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in names.add(job.name) }
            try await running(worker) {
                for run in 1...2 {
                    server.advance(by: .seconds(3600))
                    try #require(try await hasRun(client, "nightly", run))
                    let flow = try #require(try await info(client, "nightly")?.lastFlow)
                    await names.wait(for: 2 * run)
                    #expect(try await eventually { try await client.flow(flow).status == .completed })
                    #expect(try await client.flow(flow).name == "nightly")
                }
            }
            #expect(names.entries == ["extract", "load", "extract", "load"])
        }
    }

    @Test func `a wall clock that is set moves no interval, and fires no occurrence of cron twice`() async throws {
        try await withPenstock { server, client in
            let noon = try Date("2027-05-01T12:00:00Z", strategy: .iso8601)
            set(server, to: noon)
            try await client.schedulers.upsert("every", .every(.seconds(3600)), adds: .job("a", queue: "a"))
            try await client.schedulers.upsert("cron", .cron("0 * * * *"), adds: .job("b", queue: "b"))
            // A day forward: 24 occurrences were passed over, and one makes up for them.
            server.setWallClock(forward: .seconds(24 * 3600))
            #expect(try await hasRun(client, "cron", 1))
            #expect(try await info(client, "cron")?.next == noon + 25 * 3600)
            #expect(try await info(client, "every")?.runs == 0)
            try await complete(client, "b", 1)
            // And back: nothing is run before the wall clock has come to what is next.
            server.setWallClock(forward: .seconds(-24 * 3600))
            #expect(try await info(client, "cron")?.next == noon + 25 * 3600)
            server.advance(by: .seconds(3600))
            #expect(try await hasRun(client, "every", 1))
            #expect(try await info(client, "cron")?.runs == 1)
            server.advance(by: .seconds(24 * 3600))
            #expect(try await hasRun(client, "cron", 2))
        }
    }

    @Test func `after a crash at an occurrence it has exactly one run`() async throws {
        try await withPenstock { server, client in
            let counted = Record<JobID>()
            try await client.schedulers.upsert("tick", .every(.seconds(3600)), adds: work)
            for run in 1...5 {
                server.advance(by: .seconds(3600))
                server.crash()
                try server.start()
                #expect(try await hasRun(client, "tick", run))
                #expect(try await Queue("q", client).counts().waiting == 1)
                let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in counted.add(job.id) }
                try await running(worker) {
                    await counted.wait(for: run)
                    // What its worker has not been told is done may be undone by the next crash.
                    let done = try await client.job(counted.entries[run - 1]).wait()
                    #expect(done.state == .completed)
                }
            }
            #expect(Set(counted.entries).count == 5)
        }
    }

    @Test func `a repeated job runs in its flow first, then by itself until its scheduler is removed`() async throws {
        try await withPenstock { server, client in
            var flow = Flow("once")
            let poll = flow.add("poll", queue: "q", options: JobOptions(repeatEvery: .seconds(3600)))
            flow.add("report", queue: "q", after: poll)
            let handle = try await FlowProducer(client).add(flow)
            let names = Record<String>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in names.add(job.name) }
            try await running(worker) {
                #expect(try await handle.wait().status == .completed)
                let id = "repeat:\(handle[poll].id)"
                for run in 1...2 {
                    server.advance(by: .seconds(3600))
                    try #require(try await hasRun(client, id, run))
                    let job = try #require(try await info(client, id)?.lastJob)
                    try await client.job(job).wait()
                }
                try await client.schedulers.remove(id)
            }
            #expect(names.entries == ["poll", "report", "poll", "poll"])
            #expect(try await client.flow(handle.id).counts.total == 2)
        }
    }

    @Test func `schedulers are listed page by page`() async throws {
        try await withPenstock { server, client in
            let ids = ["a", "b", "c", "d", "e"]
            for id in ids.shuffled() { try await client.schedulers.upsert(id, .cron("@daily"), adds: work, limit: 9) }
            var found: [String] = []
            for try await scheduler in client.schedulers.list(pageCount: 2) { found.append(scheduler.id) }
            #expect(found == ids)
        }
    }

    @Test func `what can't be scheduled is refused, and the session goes on`() async throws {
        try await withPenstock { server, client in
            let schedulers = client.schedulers
            let wrong: [Schedule] = [
                .cron("61 * * * *"), .cron("0 3 * *"), .cron(""), .cron("@daily", timeZone: "Europe/Nowhere"),
                .every(.zero), .every(.seconds(-1)),
            ]
            for schedule in wrong {
                #expect(await code { try await schedulers.upsert("s", schedule, adds: work) } == .invalidSchedule)
            }
            #expect(await code { try await schedulers.upsert("", .cron("@daily"), adds: work) } == .invalidName)
            let day = Schedule.cron("@daily")
            #expect(await code { try await schedulers.upsert("s", day, adds: work, limit: 0) } == .invalidSchedule)
            let now = Date.now
            let reversed = await code { try await schedulers.upsert("s", day, adds: work, start: now, end: now - 5) }
            #expect(reversed == .invalidSchedule)
            let mine = ScheduledWork.job("j", queue: "q", options: JobOptions(id: "mine"))
            #expect(await code { try await schedulers.upsert("s", day, adds: mine) } == .invalidOption)
            let right = try await schedulers.upsert("s", day, adds: work)
            #expect(right.isNew)
        }
    }
}
