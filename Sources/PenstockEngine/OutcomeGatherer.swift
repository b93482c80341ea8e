import PenstockWire

/// Gathers the outcomes of a batch by session, as the APPLIED body of each.
///
/// Neighbours that went well and have nothing to tell share one run, so that a
/// thousand completions are some twenty bytes. Writers are used again.
struct OutcomeGatherer {
    struct Session {
        var slot: UInt32 = 0
        var session = SessionID(high: 0, low: 0)
        var sequence: UInt64 = 0
        var isMalformed = false
        /// The session ended in this batch: nobody wants its outcomes.
        var isDropped = false
        /// `u64 commit | u32 count | count x Outcome`
        var writer = WireWriter(capacity: 256)
        var runs: UInt32 = 0
        /// The run that the next success may still join: its first number, how many it has, its first index.
        var run: (sequence: UInt64, count: UInt32, index: UInt32) = (0, 0, 0)
    }

    /// The first ``count`` are of this batch.
    private(set) var sessions: [Session] = []
    private(set) var count = 0
    /// Index into `sessions` by session slot, valid where that entry's slot agrees.
    private var indexes: [Int] = []

    mutating func removeAll() { count = 0 }

    mutating func succeed(_ command: Command, at index: UInt32) {
        let place = place(of: command, mayBegin: true)
        sessions[place].sequence = command.sequence
        let run = sessions[place].run
        if run.count > 0 && run.sequence + UInt64(run.count) == command.sequence && run.index + run.count == index {
            sessions[place].run.count += 1
        } else {
            closeRun(place)
            sessions[place].run = (command.sequence, 1, index)
        }
    }

    /// A success that tells how many jobs it came to.
    mutating func succeed(_ command: Command, at index: UInt32, count: UInt32) {
        let start = begin(command, at: index)
        sessions[place(of: command)].writer.u32(count)
        end(command, start)
    }

    /// A move that was carried out, or found that there is nothing to wait for.
    mutating func succeed(_ command: Command, at index: UInt32, hasMoved: Bool) {
        let start = begin(command, at: index)
        MoveOutcome(hasMoved: hasMoved).encode(into: &sessions[place(of: command)].writer)
        end(command, start)
    }

    mutating func refuse(_ command: Command, at index: UInt32, _ code: ErrorCode) {
        switch code {
        case .fenced: refuse(command, at: index, OutcomeGatherer.fenced)
        case .full: refuse(command, at: index, OutcomeGatherer.full)
        case .unresolvedDependencies: refuse(command, at: index, OutcomeGatherer.unresolved)
        default: refuse(command, at: index, WireError(code, ""))
        }
    }

    static let full = WireError(.full, "The database has no room for more jobs; completions are still taken.")
    static let fenced = WireError(
        .fenced,
        "The lease is not held any more: it ran out, was given back, or its job was taken away."
    )
    static let unresolved = WireError(
        .unresolvedDependencies,
        "The attempt has failed: it was completed while dependencies of its job are unresolved. Move the job to waiting-children first."
    )

    mutating func refuse(_ command: Command, at index: UInt32, _ error: WireError) {
        let start = begin(command, at: index, status: error.code)
        let place = place(of: command)
        ErrorBody(error).encode(into: &sessions[place].writer)
        end(command, start)
        if error.code == .malformed { sessions[place].isMalformed = true }
    }

    /// Begins an outcome with a body; the caller appends it and then calls ``end(_:_:)``.
    mutating func begin(_ command: Command, at index: UInt32, status: ErrorCode = .ok) -> Int {
        let place = place(of: command, mayBegin: true)
        closeRun(place)
        sessions[place].sequence = command.sequence
        sessions[place].runs += 1
        sessions[place].writer.u64(command.sequence)
        sessions[place].writer.u32(1)
        sessions[place].writer.u32(index)
        sessions[place].writer.u16(status.rawValue)
        sessions[place].writer.u32(0)
        return sessions[place].writer.count
    }

    mutating func write(_ plan: borrowing AddPlan, firstFlow: UInt64, of command: Command) {
        plan.encodeOutcome(firstFlow: firstFlow, into: &sessions[place(of: command)].writer)
    }

    mutating func write(_ body: RawSpan, of command: Command) { sessions[place(of: command)].writer.raw(body) }

    mutating func end(_ command: Command, _ start: Int) {
        let place = place(of: command)
        let bytes = sessions[place].writer.count - start
        sessions[place].writer.patch(UInt32(bytes), at: start - 4)
    }

    /// The session has ended: what its commands came to is not kept.
    mutating func drop(_ slot: UInt32) {
        for index in 0..<count where sessions[index].slot == slot { sessions[index].isDropped = true }
    }

    /// Writes what every body begins with.
    mutating func finish(_ index: Int, commit: UInt64) {
        closeRun(index)
        sessions[index].writer.patch(commit, at: 0)
        sessions[index].writer.patch(sessions[index].runs, at: 8)
    }

    private mutating func closeRun(_ place: Int) {
        let run = sessions[place].run
        guard run.count > 0 else { return }
        sessions[place].run = (0, 0, 0)
        sessions[place].runs += 1
        sessions[place].writer.u64(run.sequence)
        sessions[place].writer.u32(run.count)
        sessions[place].writer.u32(run.index)
        sessions[place].writer.u16(ErrorCode.ok.rawValue)
        sessions[place].writer.u32(0)
    }

    /// Bytes above which a body takes no further outcome, so that every body fits a frame: with the largest
    /// outcome behind it, too, which is that of a large add (1.4 MB: its items, and the jobs that were there already).
    static let bodyBytesMax = 512 * 1024

    /// - Parameter mayBegin: a new body may be begun where the session's last one is long enough.
    private mutating func place(of command: Command, mayBegin: Bool = false) -> Int {
        let slot = Int(command.sessionSlot)
        while indexes.count <= slot { indexes.append(-1) }
        let known = indexes[slot]
        // The session too: its slot may be another's since it ended in this batch.
        if known >= 0 && known < count && sessions[known].slot == command.sessionSlot
            && sessions[known].session == command.session
            && !(mayBegin && sessions[known].writer.count > OutcomeGatherer.bodyBytesMax)
        {
            return known
        }
        if count == sessions.count { sessions.append(Session()) }
        let place = count
        count += 1
        indexes[slot] = place
        sessions[place].slot = command.sessionSlot
        sessions[place].session = command.session
        sessions[place].sequence = 0
        sessions[place].isMalformed = false
        sessions[place].isDropped = false
        sessions[place].runs = 0
        sessions[place].run = (0, 0, 0)
        sessions[place].writer.removeAll()
        sessions[place].writer.u64(0)
        sessions[place].writer.u32(0)
        return place
    }
}
