import Foundation
import TestSupport
import Testing

@testable import BenchSupport

@Suite(.serialized, .computing)
struct LMDBFloorTests {
    private func floor(_ style: LMDBFloor.Style) -> LMDBFloor {
        var floor = LMDBFloor(parent: FileManager.default.temporaryDirectory.path)
        floor.style = style
        floor.batch = 100
        return floor
    }

    @Test(arguments: LMDBFloor.Style.allCases) func `jobs are added and completed, the last commit a short one`(
        style: LMDBFloor.Style
    ) throws {
        let results = [try floor(style).add(jobs: 250), try floor(style).complete(jobs: 250)]
        #expect(results.allSatisfy { $0.operations == 250 && $0.commits == 3 && $0.perSecond > 0 })
    }

    @Test(arguments: LMDBFloor.Style.allCases) func `flows complete through to the parents, in one commit more`(
        style: LMDBFloor.Style
    ) throws {
        let result = try floor(style).flow(flows: 20, children: 10)
        #expect(result.add.operations == 20 && result.add.commits == 3)
        #expect(result.through.operations == 220 && result.through.commits == 4)
    }

    @Test func `a commit takes time`() throws {
        let latency = try floor(.cursors).commitLatency(commits: 5)
        #expect(latency.p50 > 0 && latency.p99 >= latency.p50)
    }

    @Test func `a batch of nothing is refused`() {
        var floor = floor(.cursors)
        floor.batch = 0
        let failure = #expect(throws: FloorFailure.self) { try floor.add() }
        #expect(failure?.code == EINVAL)
    }
}
