import LMDB
import Logging
import PenstockEngine
import PenstockSchedule
import PenstockWire
import UV

/// Schedulers on the loop's side: which are due, and what the calendar says of them.
extension Server {
    /// Schedulers of each clock that are run in one go: beyond it, the next one goes on.
    static let schedulersPerLookMax = 100
    /// Milliseconds within which a jump of the wall clock is noticed.
    static let wallLookMilliseconds: UInt64 = 10_000
    /// Milliseconds until runs that found no room are tried again.
    private static let roomRetryMilliseconds: UInt64 = 1000

    /// What the loop knows of the schedulers.
    struct SchedulerWatch {
        /// When they are due; at once until the first look, or a commit, has told.
        var next: NextRuns
        /// A look was taken and what it came to is not durable yet.
        var isRunning = false
        /// Monotonic time before which there is no look.
        var notBefore: UInt64 = 0

        init() {
            next = NextRuns()
            next.elapsed = 0
        }
    }

    // MARK: Commands

    /// Takes a SET_SCHEDULER: the calendar is asked here, everything else is the engine's to check.
    func setScheduler(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try session.accept(first: sequence, count: 1, addBytes: body.frameBytes)
        let times: SchedulerTimes
        do throws(WireError) {
            times = try calendar().times(SetScheduler.Head(body).rule, at: moment)
        } catch {
            return refuse(sequence, session, error)
        }
        var command = Command(.setScheduler)
        command.sessionSlot = session.slot
        command.session = session.id
        command.sequence = sequence
        var writer = WireWriter(capacity: 24 + body.byteCount)
        times.encode(into: &writer)
        writer.raw(body)
        command.body = staging.keep(writer.span)
        stage(command)
    }

    // MARK: Reads

    /// When a scheduler will run.
    func nextRuns(
        _ request: GetNextRuns,
        _ reads: Reads,
        _ snapshot: borrowing ReadTransaction
    ) throws(Reads.Failure) -> NextRunTimes {
        let runs = try reads.upcomingRuns(of: request.id, snapshot)
        do throws(WireError) {
            let times = try calendar().upcoming(runs, count: Int(request.count), at: moment)
            return NextRunTimes(commit: snapshot.id, times: times)
        } catch {
            throw .refused(error)
        }
    }

    // MARK: Runs

    /// Asks for the runs of the schedulers that are due.
    func runDueSchedulers(now: UInt64) {
        guard nextSchedulerLook(now: now) <= now else { return }
        let moment = moment
        let due: [DueScheduler]
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            due = try reads.dueSchedulers(
                snapshot,
                elapsed: moment.elapsed,
                wall: moment.wall,
                limit: Server.schedulersPerLookMax
            )
            if due.isEmpty { schedulers.next = try reads.nextRuns(snapshot) }
        } catch {
            return fail(error)
        }
        let calendar = calendar()
        for scheduler in due {
            guard let run = run(scheduler, calendar, moment) else { continue }
            var writer = WireWriter(capacity: 64)
            run.encode(into: &writer)
            var command = Command(.runScheduler)
            command.body = staging.keep(writer.span)
            stage(command)
            schedulers.isRunning = true
        }
    }

    private func run(
        _ scheduler: DueScheduler,
        _ calendar: SchedulerCalendar,
        _ moment: SchedulerCalendar.Moment
    ) -> SchedulerRun? {
        do throws(WireError) {
            return try calendar.run(scheduler, at: moment)
        } catch {
            logger.warning(
                "a scheduler can't be run now; it will be tried again",
                metadata: [
                    "scheduler": "\(String(decoding: scheduler.id, as: UTF8.self))", "error": "\(error.message)",
                ]
            )
            return calendar.postponed(scheduler, at: moment)
        }
    }

    /// Takes in what a commit says of the schedulers.
    func learnSchedulers(_ result: borrowing BatchResult) {
        schedulers.next = result.nextRuns
        if result.hasRunSchedulers { schedulers.isRunning = false }
        for (scheduler, error) in result.stoppedSchedulers {
            logger.error(
                "what a scheduler adds can't be read: it stops, until it is set again",
                metadata: ["scheduler": "\(scheduler)", "error": "\(error.message)"]
            )
        }
        if result.hasRunsWaitingForRoom { schedulers.notBefore = clock.monotonic + Server.roomRetryMilliseconds }
    }

    /// Monotonic time at which to look for schedulers that are due; `.max` where nothing is to be looked for.
    func nextSchedulerLook(now: UInt64) -> UInt64 {
        guard !schedulers.isRunning, !isStopping else { return .max }
        let next = schedulers.next
        var wait = UInt64.max
        if next.elapsed != .max {
            let elapsed = clock.elapsed
            wait = next.elapsed > elapsed ? next.elapsed - elapsed : 0
        }
        if next.wall != .max {
            let wall = clock.wall
            // The wall clock may be set: nobody tells.
            wait = min(wait, next.wall > wall ? min(next.wall - wall, Server.wallLookMilliseconds) : 0)
        }
        return wait == .max ? .max : max(now + wait, schedulers.notBefore)
    }

    private var moment: SchedulerCalendar.Moment {
        SchedulerCalendar.Moment(elapsed: clock.elapsed, wall: clock.wall)
    }

    /// A calendar for a few looks: it reads the file of a zone once, and so takes in a new one the next time.
    private func calendar() -> SchedulerCalendar {
        let directory = TimeZoneDirectory(tzdir: EnvironmentVariable.value(of: "TZDIR"))
        let known = ZoneCache()
        return SchedulerCalendar { name throws(TimeZoneError) in
            if let rules = known.rules[name] { return rules }
            let rules = try directory.rules(named: name) {
                try FileContents.read($0, bytesMax: ScheduleLimits.zoneFileBytesMax)
            }
            known.rules[name] = rules
            return rules
        }
    }
}

/// The time zones of one calendar.
private final class ZoneCache {
    var rules: [String: TimeZoneRules] = [:]
}
