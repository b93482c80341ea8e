public import NIOCore
public import NIOPosix

extension PenstockClient {
    /// What a client can be told about how to work. Every setting has a default.
    public struct Configuration: Sendable {
        /// The client's name in the server's logs: at most 255 bytes of UTF-8. Empty by default.
        public var name: String
        /// How long a request waits for its answer, the time without a connection included. 30 s by default.
        ///
        /// Waits for the end of a job or a flow have timeouts of their own.
        public var requestTimeout: Duration
        /// How long ``PenstockClient/run()`` waits for outcomes when it is asked to end, and ``Worker/run()`` when its last
        /// handler has ended. 5 s by default.
        public var shutdownTimeout: Duration
        /// Where the connections live; NIO's shared group by default.
        public var eventLoopGroup: any EventLoopGroup

        public init(
            name: String = "",
            requestTimeout: Duration = .seconds(30),
            shutdownTimeout: Duration = .seconds(5),
            eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
        ) {
            self.name = name
            self.requestTimeout = requestTimeout
            self.shutdownTimeout = shutdownTimeout
            self.eventLoopGroup = eventLoopGroup
        }
    }
}
