import PenstockWire

/// The sessions that are in memory, by slot and by id.
struct SessionTable {
    private var slots: [Session?] = []
    private var vacant: [UInt32] = []
    private var byID: [SessionID: UInt32] = [:]

    subscript(slot: UInt32) -> Session? { Int(slot) < slots.count ? slots[Int(slot)] : nil }

    subscript(id: SessionID) -> Session? { byID[id].flatMap { slots[Int($0)] } }

    var all: some Sequence<Session> { slots.lazy.compactMap { $0 } }

    mutating func add(_ id: SessionID, isOpening: Bool, applied: UInt64, now: UInt64) -> Session {
        let slot = vacant.popLast() ?? UInt32(slots.count)
        let session = Session(slot: slot, id: id, isOpening: isOpening, applied: applied, now: now)
        if Int(slot) == slots.count { slots.append(session) } else { slots[Int(slot)] = session }
        byID[id] = slot
        return session
    }

    mutating func remove(_ session: Session) {
        guard slots[Int(session.slot)] === session else { return }
        slots[Int(session.slot)] = nil
        byID[session.id] = nil
        vacant.append(session.slot)
    }
}
