/** Spans by the real SDK of OpenTelemetry. */
import t from "tap";
import { Tracing } from "../../src/engine/tracing.ts";
import { hasPackage } from "../fixtures/packages.ts";
import { startEngine } from "../fixtures/gateway.ts";

const sdk = "@opentelemetry/sdk-trace-node";

t.test(
  "spans continue traceparent, and are the parents of those of handlers",
  { skip: hasPackage(sdk) ? false : `npm install ${sdk}` },
  async (t) => {
    const api = (await import(String("@opentelemetry/api"))) as any;
    const { NodeTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = (await import(
      String(sdk)
    )) as any;
    const exporter = new InMemorySpanExporter();
    const modules = {
      hello: {
        handler(req: { write(text: string): void }) {
          api.trace.getTracer("own").startSpan("inner").end();
          req.write("hello");
        },
      },
      fails: {
        handler() {
          throw new Error("no");
        },
      },
    };
    const peer = await startEngine(t, modules, { tracing: new Tracing("/") });
    t.equal((await peer.ask(["handler hello"])).status, 200);
    const provider = new NodeTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    provider.register();
    t.teardown(async () => {
      await provider.shutdown();
      for (const part of [api.trace, api.context, api.propagation]) part.disable();
    });
    t.same(exporter.getFinishedSpans(), [], "none before an SDK is there");
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    await peer.ask(["handler hello"], { headers });
    await peer.ask(["handler fails"]);
    const [inner, outer, failed] = exporter.getFinishedSpans();
    t.match(outer, {
      name: "GET hello",
      parentSpanContext: { spanId: "b7ad6b7169203331" },
      attributes: { "http.response.status_code": 200, "url.path": "/a%2Fb" },
    });
    t.equal(outer.spanContext().traceId, trace);
    t.equal(inner.parentSpanContext.spanId, outer.spanContext().spanId);
    t.match(failed, { status: { code: api.SpanStatusCode.ERROR } });
  },
);
