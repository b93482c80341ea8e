#if Tracing
    public import Tracing

    /// Puts the context of the trace in which jobs are added into their headers, with swift-distributed-tracing.
    ///
    /// ```swift
    /// let flows = FlowProducer(client, interceptors: [TracingInterceptor()])
    /// let worker = Worker(client, queue: "mail", options: .init(middleware: [TracingMiddleware()])) { ... }
    /// ```
    ///
    /// The add itself is a span, of the kind *producer*. A header that a job has already stays as it is.
    ///
    /// It is there with the package trait `Tracing`.
    public struct TracingInterceptor: FlowInterceptor {
        private let tracer: (any Tracer)?

        /// - Parameter tracer: the one that was bootstrapped, by default.
        public init(tracer: (any Tracer)? = nil) { self.tracer = tracer }

        public func intercept(_ flows: inout [Flow]) async throws {
            let tracer = self.tracer ?? InstrumentationSystem.tracer
            let context = InstrumentationContext.current ?? .topLevel
            let span = tracer.startAnySpan("add", context: context, ofKind: .producer)
            span.attributes["penstock.flows"] = flows.count
            span.attributes["penstock.jobs"] = flows.reduce(0) { $0 + $1.count }
            defer { span.end() }
            var headers: [String: String] = [:]
            tracer.inject(span.context, into: &headers, using: HeaderCarrier())
            for index in flows.indices {
                flows[index].updateJobs { $0.options.headers.merge(headers) { given, _ in given } }
            }
        }
    }

    /// Runs each job in a span that goes on with the trace in which the job was added, with swift-distributed-tracing.
    ///
    /// The span is called after the job's name, is of the kind *consumer*, and has `penstock.queue`, `penstock.job` and
    /// `penstock.attempt` as attributes. A failure of the attempt is recorded.
    ///
    /// It is there with the package trait `Tracing`.
    public struct TracingMiddleware: WorkerMiddleware {
        private let tracer: (any Tracer)?

        /// - Parameter tracer: the one that was bootstrapped, by default.
        public init(tracer: (any Tracer)? = nil) { self.tracer = tracer }

        public func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
            let tracer = self.tracer ?? InstrumentationSystem.tracer
            var context = InstrumentationContext.current ?? .topLevel
            tracer.extract(job.headers, into: &context, using: HeaderCarrier())
            let span = tracer.startAnySpan(job.name, context: context, ofKind: .consumer)
            span.attributes["penstock.queue"] = job.queue
            span.attributes["penstock.job"] = "\(job.id)"
            span.attributes["penstock.attempt"] = job.attempt
            defer { span.end() }
            do {
                try await InstrumentationContext.withValue(span.context) { try await next() }
            } catch {
                if RunEnd(error, isCancelled: Task.isCancelled) == .failed {
                    span.recordError(error)
                    span.setStatus(SpanStatus(code: .error, message: "\(error)"))
                }
                throw error
            }
        }
    }

    /// The headers of a job, as a tracer reads and writes them.
    private struct HeaderCarrier: Extractor, Injector {
        func extract(key: String, from headers: [String: String]) -> String? { headers[key] }

        func inject(_ value: String, forKey key: String, into headers: inout [String: String]) { headers[key] = value }
    }
#endif
