import PenstockWire

@testable import PenstockEngine

/// Every deduplication id that is held has a holder, or an end.
extension InvariantChecker {
    mutating func checkDeduplications() {
        let dump = dump
        for (key, held) in dump.deduplications {
            let id = String(decoding: key.id, as: UTF8.self)
            expect(key == DeduplicationKey(key.queue, key.id), "id \(id) stands under another hash")
            expect(dump.queues[key.queue] != nil, "id \(id) is of a queue that is not there")
            expect(held.hasKept == dump.deduplicationsKept.contains(key), "id \(id): an add is kept, or not")
            expect(held.hasKept <= (held.due == 0), "id \(id): an add is kept for longer than the id is held")
            guard held.due == 0 else { continue }
            let job = dump.jobs[held.job]
            expect(
                job.map { !$0.state.isFinished && $0.queue == key.queue } == true,
                "id \(id): job \(held.job), which holds it, has ended, or is not there"
            )
            expect(job?.marks.contains(.hasDeduplication) == true, "job \(held.job) does not know that it holds an id")
            expect(
                dump.payloads[held.job]?.deduplication == key.id,
                "job \(held.job) holds an id that it was not given"
            )
        }
        let due = dump.deduplications.filter { $0.value.due != 0 }.map {
            DeduplicationDueKey(due: $0.value.due, $0.key)
        }
        expect(
            Set(due) == Set(dump.deduplicationsDue) && due.count == dump.deduplicationsDue.count,
            "ends of ids stand twice, or once"
        )
        expect(dump.deduplicationsKept.allSatisfy { dump.deduplications[$0] != nil }, "an add is kept for no id")
    }
}
