import Foundation
import LMDB
import PenstockEngine
import PenstockWire
import TestSupport
import Testing
import UV

@testable import PenstockServer

/// What the writer does where there is no room.
@Suite(.computing) struct WriterTests {
    @Test func `a writer that waits for room ends when it is told to`() throws {
        try withWriter(mapSize: 128 * 4096) { writer in
            try writer.fill()
            var batch = Batch()
            for number in 1...2000 as ClosedRange<UInt64> {
                var command = Command(.openSession)
                command.session = SessionID(high: 1, low: number)
                batch.commands.append(command)
            }
            #expect(writer.exchange.offer(&batch))
            Loop.sleep(milliseconds: 300)
            var results: [BatchResult] = []
            #expect(writer.exchange.takeResults(&results) == nil)
            writer.exchange.stop()
            writer.thread.join()
            guard case .full = writer.exchange.takeResults(&results) else {
                Issue.record("the writer has not given up")
                return
            }
            #expect(results.isEmpty)
        }
    }

    @Test func `adds are taken again a second after there is room`() throws {
        try withWriter(mapSize: 1 << 30, quotaBytes: 1 << 20) { writer in
            try writer.put(rows: 2000)
            #expect(writer.add(1) == 0)
            try writer.removeRows()
            writer.clock.advance(milliseconds: 1001)
            #expect(writer.add(2) == 1)
        }
    }
}

/// A writer on a thread of its own, and the loop's side of it.
private final class RunningWriter {
    let environment: Environment
    let exchange = Exchange()
    let clock = ServerClock()
    let thread: OSThread

    init(_ directory: String, mapSize: Int, quotaBytes: Int, wake: Async) throws {
        var options = LMDB.Configuration()
        options.mapSize = mapSize
        options.durability = .lostWithPower
        environment = try Environment.open(directory: directory, tables: Tables.names, configuration: options)
        let engine = try Engine(environment, wall: clock.wall, database: SessionID(high: 1, low: 1))
        clock.start(elapsed: engine.elapsed)
        var configuration = ServerConfiguration(dataDirectory: directory)
        configuration.quotaBytes = quotaBytes
        configuration.diskReserveBytes = 0
        let box = WriterBox(Writer(engine, exchange, clock, configuration, wake: wake))
        thread = try OSThread { box.run() }
    }

    private var rows: Table<UInt64> { environment.table("payloads", keyedBy: UInt64.self) }

    /// Puts rows as long as there is room for one.
    func fill() throws {
        var key: UInt64 = 1 << 40
        do throws(LMDBError) {
            while true {
                try put(key)
                key += 1
            }
        } catch {
            guard error.code == .mapFull else { throw error }
        }
    }

    func put(rows count: UInt64) throws {
        for key in 0..<count { try put(1 << 40 + key) }
    }

    private func put(_ key: UInt64) throws(LMDBError) {
        let environment = environment
        let row = [UInt8](repeating: 7, count: 1000)
        var transaction = try environment.beginWrite()
        try transaction.put(row.rawSpan, for: key, in: rows)
        try transaction.commit()
    }

    func removeRows() throws(LMDBError) {
        let environment = environment
        var transaction = try environment.beginWrite()
        while let key = try transaction.entry(after: 0, in: rows)?.key { _ = try transaction.delete(key, in: rows) }
        try transaction.commit()
    }

    /// Adds one job, waits for the result, and gives the number of jobs that it made ready.
    func add(_ sequence: UInt64) -> Int {
        let node = AddNode(queue: 0, name: "job", contentType: .none, data: [], options: .default)
        let message = Add(sequence: sequence, queues: ["q"], items: [AddItem(isFlow: false, nodes: [node])])
        var frame = WireWriter()
        message.encodeFrame(into: &frame)
        var batch = Batch()
        var command = Command(.add)
        command.session = SessionID(high: 1, low: 1)
        command.sequence = sequence
        command.body = batch.keep(frame.span.extracting(droppingFirst: FrameHeader.byteCount))
        batch.commands.append(command)
        var results: [BatchResult] = []
        guard exchange.offer(&batch) else { return -1 }
        while results.isEmpty {
            if exchange.takeResults(&results) != nil { return -1 }
            Loop.sleep(milliseconds: 1)
        }
        return results[0].ready.count
    }
}

private func withWriter(
    mapSize: Int,
    quotaBytes: Int = 1 << 40,
    _ body: (RunningWriter) throws -> Void
) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("penstock-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let loop = try Loop()
    defer { loop.close() }
    let wake = try Async(on: loop) {}
    let writer = try RunningWriter(path, mapSize: mapSize, quotaBytes: quotaBytes, wake: wake)
    defer {
        writer.exchange.stop()
        writer.thread.join()
    }
    try body(writer)
}
