import PenstockEngine
import PenstockWire

/// What workers ask for: streams of jobs, and their credits.
extension Server {
    func subscribe(
        _ header: FrameHeader,
        _ request: Subscribe,
        _ session: Session,
        _ connection: Connection
    ) throws(WireError) {
        try check(header, request, connection)
        var isWaiting = request.prefetches && !limitsAreSettled
        for name in request.queues where reads.queueIDs[name] == nil {
            isWaiting = true
            var command = Command(.makeQueue)
            let text = Array(name.utf8)
            command.body = staging.keep(text.rawSpan)
            stage(command)
        }
        if isWaiting {
            pendingSubscriptions.append(
                PendingSubscription(
                    connection: connection,
                    header: header,
                    request: request,
                    creditJobs: Int(request.creditJobs),
                    creditBytes: Int(request.creditBytes)
                )
            )
        } else {
            try checkPrefetch(request)
            beginSubscription(
                header,
                request,
                creditJobs: Int(request.creditJobs),
                creditBytes: Int(request.creditBytes),
                session,
                connection
            )
        }
    }

    /// The index of a subscription whose queues are being made.
    private func pending(_ stream: UInt32, _ connection: Connection) -> Int? {
        pendingSubscriptions.firstIndex { $0.connection === connection && $0.header.stream == stream }
    }

    /// Refuses a stream's number that can't begin a subscription or a listener.
    func checkStream(_ stream: UInt32, _ connection: Connection) throws(WireError) {
        guard stream != 0 else { throw WireError(.unknownStream, "A stream's number can't be 0.") }
        guard connection.subscriptions[stream] == nil, pending(stream, connection) == nil,
            connection.listeners[stream] == nil, pendingListen(stream, connection) == nil
        else { throw WireError(.streamInUse, "Stream \(stream) is in use already.") }
        let pendingCount =
            pendingSubscriptions.count { $0.connection === connection }
            + pendingListens.count { $0.connection === connection }
        let count = connection.subscriptions.count + connection.listeners.count + pendingCount
        guard count < Limits.streamsPerConnectionMax else {
            throw WireError(
                .invalidRequest,
                "A connection can have \(Limits.streamsPerConnectionMax) subscriptions and listeners; this is one more."
            )
        }
    }

    private func check(_ header: FrameHeader, _ request: Subscribe, _ connection: Connection) throws(WireError) {
        try checkStream(header.stream, connection)
        guard !request.queues.isEmpty, request.queues.count <= Limits.queuesPerMessageMax,
            Set(request.queues).count == request.queues.count
        else {
            throw WireError(
                .invalidRequest,
                "\(request.queues.count) queues in a subscription; 1 to \(Limits.queuesPerMessageMax), each once, are allowed."
            )
        }
        for name in request.queues {
            let text = Array(name.utf8)
            try Names.checkQueue(text.rawSpan)
        }
        guard Int(request.creditJobs) <= Limits.creditJobsMax, Int(request.creditBytes) <= Limits.creditBytesMax else {
            throw .creditTooLarge
        }
        guard request.lockDuration == 0 || Limits.allowsLockDuration(request.lockDuration) else {
            throw .lockDuration(request.lockDuration)
        }
    }

    private func beginSubscription(
        _ header: FrameHeader,
        _ request: Subscribe,
        creditJobs: Int,
        creditBytes: Int,
        _ session: Session,
        _ connection: Connection
    ) {
        let lockDuration =
            request.lockDuration == 0 ? Limits.lockDurationMillisecondsDefault : request.lockDuration
        session.lockDurationMin = min(session.lockDurationMin, lockDuration)
        let subscription = Subscription(
            connection: connection.slot,
            sessionSlot: session.slot,
            stream: header.stream,
            queues: request.queues.map { reads.queueIDs[$0]! },  // because the caller has seen that each is known
            creditJobs: creditJobs,
            creditBytes: creditBytes,
            lockDuration: lockDuration,
            worker: request.worker,
            weights: request.weights,
            prefetches: request.prefetches
        )
        connection.subscriptions[header.stream] = dispatcher.subscribe(subscription)
        connection.send(
            Subscribed(heartbeat: session.heartbeat),
            correlation: header.correlation,
            stream: header.stream
        )
        nextHousekeeping = min(nextHousekeeping, clock.monotonic + UInt64(session.heartbeat) / 2)
    }

    /// Goes on with the subscriptions whose queues are there now.
    func retryPendingSubscriptions() {
        let pending = pendingSubscriptions
        pendingSubscriptions.removeAll()
        for entry in pending {
            guard let session = entry.connection.session, !session.isEnding, entry.connection.state == .open else {
                continue
            }
            guard entry.request.queues.allSatisfy({ reads.queueIDs[$0] != nil }),
                !entry.request.prefetches || limitsAreSettled
            else {
                pendingSubscriptions.append(entry)
                continue
            }
            do throws(WireError) {
                try checkPrefetch(entry.request)
            } catch {
                entry.connection.refuse(entry.header, error)
                continue
            }
            beginSubscription(
                entry.header,
                entry.request,
                creditJobs: entry.creditJobs,
                creditBytes: entry.creditBytes,
                session,
                entry.connection
            )
        }
    }

    /// Adds to the credits of a stream, or takes from them.
    func changeCredits(
        _ header: FrameHeader,
        jobs: Int,
        bytes: Int,
        _ connection: Connection
    ) throws(WireError) {
        func check(_ jobs: Int, _ bytes: Int) throws(WireError) {
            guard abs(jobs) <= Limits.creditJobsMax, abs(bytes) <= Limits.creditBytesMax else {
                throw .creditTooLarge
            }
        }
        if try credit(header.stream, jobs: jobs, bytes: bytes, connection) { return }
        if let index = pending(header.stream, connection) {
            let held = pendingSubscriptions[index]
            try check(held.creditJobs + jobs, held.creditBytes + bytes)
            pendingSubscriptions[index].creditJobs += jobs
            pendingSubscriptions[index].creditBytes += bytes
            return
        }
        guard let id = connection.subscriptions[header.stream], let held = dispatcher.subscription(id) else {
            throw .unknownStream(header.stream)
        }
        try check(held.creditJobs + jobs, held.creditBytes + bytes)
        dispatcher.credit(id, jobs: jobs, bytes: bytes)
    }

    func unsubscribe(_ header: FrameHeader, _ connection: Connection) throws(WireError) {
        if let id = connection.subscriptions.removeValue(forKey: header.stream) {
            let prefetches = dispatcher.subscription(id)?.prefetches == true
            dispatcher.unsubscribe(id)
            if prefetches { dispatcher.cancelReservations(of: id) }
        } else if let index = pending(header.stream, connection), let session = connection.session {
            let request = pendingSubscriptions.remove(at: index).header
            connection.send(
                Subscribed(heartbeat: session.heartbeat),
                correlation: request.correlation,
                stream: request.stream
            )
        } else {
            throw .unknownStream(header.stream)
        }
        connection.send(Unsubscribed(), correlation: header.correlation, stream: header.stream)
    }
}

extension WireError {
    static let creditTooLarge = WireError(
        .invalidRequest,
        "A subscription can hold \(Limits.creditJobsMax) job credits and \(Limits.creditBytesMax) byte credits, or owe as many; these are more."
    )

    static func unknownStream(_ stream: UInt32) -> WireError {
        WireError(.unknownStream, "Stream \(stream) is not subscribed.")
    }
}
