import PenstockWire

@testable import PenstockEngine

/// Edges, from both of their sides.
extension InvariantChecker {
    mutating func checkEdges() {
        let dump = dump
        var blocks = SortedRows<JobID, DependencyBlock>()
        var heldEdges = SortedRows<FlowID, UInt32>()
        for (key, edge) in dump.edges {
            // Its edges go one after the other.
            if removed.contains(key.dependent) && dump.jobs[key.dependent]?.marks.contains(.isRemoved) != false {
                continue
            }
            guard let dependent = dump.jobs[key.dependent], let dependency = dump.jobs[edge.dependency] else {
                expect(false, "an edge of job \(key.dependent) to \(edge.dependency), one of which is not there")
                continue
            }
            var name: String { "edge \(key.dependent).\(key.position) to \(edge.dependency)" }
            expect(key.position < dependent.dependencies.positions, "\(name): its position was not given")
            expect(dependent.flags.contains(.hasDependencies), "\(name): its dependent has no dependency block")
            let isBelow = key.position < dependent.dependencies.detachedBelow
            let isDetached = isBelow && !edge.isAttached
            expect(!edge.isAttached || isBelow && edge.kind == .unprocessed, "\(name) is attached without a need")
            var block = blocks[key.dependent] ?? DependencyBlock()
            switch edge.kind {
            case .unprocessed:
                block.unprocessed += 1
                if !isDetached { block.counting += 1 }
                if edge.isAttached { block.attached += 1 }
            case .processed: block.processed += 1
            case .ignored: block.ignored += 1
            case .failed:
                block.failed += 1
                expect(
                    key.position >= dependent.dependencies.failedFrom || dependency.marks.contains(.isRemoved),
                    "\(name) failed, and would not be found"
                )
            }
            switch edge.kind {
            case .unprocessed:
                let hasFailed = dependency.state == .failed || dependency.state == .cancelled
                expect(
                    !edge.isHeld || edge.policy == .wait && (hasFailed || hasSecondThoughts),
                    "\(name) is held, and its dependency is \(dependency.state)"
                )
                expect(
                    !dependency.state.isFinished || edge.isHeld || told.contains(edge.dependency)
                        || removed.contains(edge.dependency),
                    "\(name) is unprocessed, and its dependency has ended"
                )
                if edge.isHeld && !isDetached {
                    block.held += 1
                    if dependent.flow != .none && dependent.state == .waitingChildren {
                        heldEdges[dependent.flow, default: 0] += 1
                    }
                }
            case .processed:
                expect(
                    dependency.state == .completed || hasSecondThoughts,
                    "\(name) is processed, and its dependency did not complete"
                )
            case .ignored, .failed:
                expect(
                    dependency.state == .failed || dependency.state == .cancelled || hasSecondThoughts,
                    "\(name) is \(edge.kind), and its dependency did not fail"
                )
            }
            blocks[key.dependent, default: block] = block
            expect(!edge.isHeld || edge.kind == .unprocessed, "\(name) is held and resolved")
            expect(
                (edge.kind == .failed) <= (edge.policy == .failParent && edge.condition == .success),
                "\(name) failed, against its policy"
            )
        }
        for (id, job) in dump.jobs where !removed.contains(id) {
            let block = blocks[id] ?? DependencyBlock()
            let stored = job.dependencies
            expect(
                stored.counting == block.counting && stored.counts == block.counts && stored.held == block.held
                    && stored.attached == block.attached,
                "job \(id): its counters \(stored) are not those of its edges, \(block)"
            )
            expect(
                (job.state == .waitingChildren)
                    <= (block.counting > 0 || started.contains(id) || going.contains(job.flow)),
                "job \(id) waits for nothing"
            )
            // An active one may have added what it will wait for.
            let isFree = job.state == .waiting || job.state == .delayed
            expect(isFree <= (block.counting == 0), "job \(id) runs too early")
            expect(
                (stored.failedDependency != .none) == (job.cause == .dependency) || job.marks.contains(.isRemoved),
                "job \(id): its cause is \(job.cause), its failed dependency \(stored.failedDependency)"
            )
        }
        for (id, flow) in dump.flows {
            expect(
                flow.heldEdges == (heldEdges[id] ?? 0),
                "flow \(id): \(flow.heldEdges) held edges, not \(heldEdges[id] ?? 0)"
            )
        }
    }

    /// The dependents' side of the edges: the first stands in the record, the others have rows.
    mutating func checkDependents() {
        let dump = dump
        var stored = dump.dependents.map { Link($0.key.dependency, $0.key.dependent, $0.position) }
        for (id, job) in dump.jobs where job.firstDependent != .none {
            stored.append(Link(id, job.firstDependent, job.firstDependentPosition))
        }
        var links = dump.edges.map { Link($0.record.dependency, $0.key.dependent, $0.key.position) }
        stored.sort()
        links.sort()
        for (link, next) in zip(links, links.dropFirst()) {
            let isSame = link.dependency == next.dependency && link.dependent == next.dependent
            expect(!isSame, "two edges of job \(link.dependent) to \(link.dependency)")
        }
        if stored != links {
            for link in Set(links).subtracting(stored) { expect(false, "\(link): the reverse entry is wrong") }
            for link in Set(stored).subtracting(links) { expect(false, "\(link): a reverse entry without an edge") }
            expect(stored.count == links.count, "a first dependent has a row, too")
        }
        var counts = SortedRows<JobID, UInt32>()
        for link in stored { counts[link.dependency, default: 0] += 1 }
        for (id, job) in dump.jobs {
            let count = counts[id] ?? 0
            expect(job.dependents == count, "job \(id): \(job.dependents) dependents, against \(count) rows")
        }
    }
}

/// An edge, as its dependency knows it.
private struct Link: Hashable, Comparable, CustomStringConvertible {
    var dependency: JobID
    var dependent: JobID
    var position: UInt32

    init(_ dependency: JobID, _ dependent: JobID, _ position: UInt32) {
        self.dependency = dependency
        self.dependent = dependent
        self.position = position
    }

    static func < (a: Link, b: Link) -> Bool {
        if a.dependency != b.dependency { return a.dependency < b.dependency }
        return (a.dependent, a.position) < (b.dependent, b.position)
    }

    var description: String { "edge \(dependent).\(position) to \(dependency)" }
}
