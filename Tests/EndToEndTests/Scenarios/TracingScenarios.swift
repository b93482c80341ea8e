#if Tracing
    import InMemoryTracing
    import Penstock
    import PenstockTesting
    import TestSupport
    import Testing
    import Tracing

    /// How a trace goes through jobs, with the trait `Tracing`.
    @Suite(.inTurns) struct `Traces` {
        @Test func `the trace in which a flow is added goes on in the handlers of its jobs`() async throws {
            try await withPenstock { _, client in
                let tracer = InMemoryTracer()
                let options = Worker.Options(middleware: [TracingMiddleware(tracer: tracer)])
                let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                    tracer.withAnySpan("inside") { _ in }
                    if job.name == "broken" { throw Broken() }
                }
                let flows = FlowProducer(client, interceptors: [TracingInterceptor(tracer: tracer)])
                try await running(worker) {
                    let flow = try await tracer.withAnySpan("request") { _ in
                        try await flows.add(
                            FlowJob("parent", queue: "q") {
                                FlowJob("broken", queue: "q", options: .init(onFailure: .ignore))
                            }
                        )
                    }
                    try await flow.wait()
                }
                let spans = tracer.finishedSpans
                func span(_ name: String) throws -> FinishedInMemorySpan {
                    try #require(spans.first { $0.operationName == name })
                }
                let (request, add) = (try span("request"), try span("add"))
                #expect(add.parentSpanID == request.spanID && add.kind == .producer)
                for name in ["parent", "broken"] {
                    let run = try span(name)
                    #expect(run.traceID == request.traceID && run.parentSpanID == add.spanID)
                    #expect(run.kind == .consumer)
                }
                #expect(try span("broken").errors.count == 1)
                #expect(try span("parent").errors.isEmpty)
                let inside = spans.filter { $0.operationName == "inside" }.map(\.parentSpanID)
                #expect(Set(inside) == [try span("parent").spanID, try span("broken").spanID])
            }
        }

        @Test func `a header that a job was given stays, and jobs without a trace have none`() async throws {
            try await withPenstock { _, client in
                let tracer = InMemoryTracer()
                let flows = FlowProducer(client, interceptors: [TracingInterceptor(tracer: tracer)])
                let headers = [InMemoryTracer.traceIDKey: "mine", "tenant": "acme"]
                let job = try await flows.add("n", queue: "q", options: .init(headers: headers))
                let stored = try await job.info().options.headers
                #expect(stored[InMemoryTracer.traceIDKey] == "mine" && stored["tenant"] == "acme")
                let plain = try await Queue("q", client).add("n")
                #expect(try await plain.info().options.headers.isEmpty)
            }
        }
    }
#endif
