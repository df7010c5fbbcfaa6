/** A client that goes away: the handler learns it, what it registered runs, the process goes on. */
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  before: "Define MOD_TS_TIMEOUT 2",
  conf: `
    <Location /abort>
      Use TsHandler abort.ts
      Use TsOption file "\${FOLDER}/large.bin"
      Use TsLogHandler abort.ts
    </Location>
    ${journalConf}
  `,
  files: { "large.bin": "x".repeat(20_000_000) },
  handlers: {
    "journal.ts": journalModule,
    "abort.ts": `
      import { OK, type ApacheRequest } from "mod-ts";
      import { note } from "./journal.ts";
      const aborted = (req: ApacheRequest) => new Promise((resolve) => req.signal.addEventListener("abort", resolve));
      const noteFailure = (text: string) => (error: unknown) => {
        note(text + (error as { code: string }).code);
        throw error;
      };
      let release = () => {};
      const ways: Record<string, (req: ApacheRequest) => unknown> = {
        writing: async (req) => {
          const timer = setInterval(() => req.write("more", true), 5);
          await aborted(req);
          clearInterval(timer);
          note("writing aborted");
          try { req.write("more"); } catch (error) { noteFailure("writing ")(error); }
        },
        flushing: async (req) => {
          for (;;) {
            req.write("more");
            await req.flush().catch(noteFailure("flushing "));
          }
        },
        file: async (req) => {
          await req.sendFile(req.getOptions()["file"]!).catch(noteFailure("file "));
        },
        response: () => {
          let timer: NodeJS.Timeout;
          return new Response(new ReadableStream({
            start(controller) { timer = setInterval(() => controller.enqueue(Buffer.from("part")), 5); },
            cancel() { clearInterval(timer); note("response cancelled"); },
          }));
        },
        pulled: () => new Response(new ReadableStream({
          pull(controller) { controller.enqueue(Buffer.alloc(65536)); },
          cancel() { note("pulled cancelled"); },
        })),
        silent: async (req) => {
          note("silent begins");
          await new Promise<void>((resolve) => (release = resolve));
          note("silent released");
          req.write("nobody reads this");
        },
        release: (req) => { release(); req.write("released"); },
        "given-up": async (req) => { await aborted(req); note("given-up aborted"); },
      };
      export const handler = (req: ApacheRequest) => {
        const way = req.uri.split("/").at(-1)!;
        req.registerCleanup((name) => note(name + " cleanup"), way);
        return ways[way]!(req) as number;
      };
      export const logHandler = (req: ApacheRequest) => {
        const way = req.uri.split("/").at(-1)!;
        note(way + " log " + req.signal.aborted);
        return OK;
      };
    `,
  },
});

/** Begins a request, goes away in the middle of the answer, gives what the handler noted up to its end. */
async function leave(way: string): Promise<string[]> {
  const client = new RawClient(apache.port).head(`GET /abort/${way} HTTP/1.1`);
  await client.until(/\r\n\r\n[^]/);
  client.leave();
  return notesOf(way);
}

async function notesOf(way: string): Promise<string[]> {
  const entries = await journalHas(apache, `${way} cleanup`);
  return entries.filter((entry) => entry.startsWith(way));
}

const ends = ["log true", "cleanup"];
const expected: Record<string, string[]> = {
  writing: ["aborted", "MODTS_CLIENT_GONE"],
  flushing: ["MODTS_CLIENT_GONE"],
  file: ["MODTS_CLIENT_GONE"],
  response: ["cancelled"],
  pulled: ["cancelled"],
};

for (const [way, entries] of Object.entries(expected)) {
  t.test(`in the middle of the answer: ${way}`, async (t) => {
    t.same(
      await leave(way),
      [...entries, ...ends].map((entry) => `${way} ${entry}`),
    );
  });
}

// mod_proxy_http does not look at the client while it waits for the sidecar: that one left shows when it cannot be written to.
t.test("before the answer: the handler runs to its end, none the wiser", async (t) => {
  const client = new RawClient(apache.port).head("GET /abort/silent HTTP/1.1");
  await journalHas(apache, "silent begins");
  client.leave();
  t.equal((await apache.request("/abort/release")).body, "released");
  t.same(await notesOf("silent"), [
    "silent begins",
    "silent released",
    "silent log false",
    "silent cleanup",
  ]);
});

t.test("a handler that Apache gives up learns it as well", async (t) => {
  const reply = await apache.request("/abort/given-up");
  t.equal(reply.status, 502);
  t.same(await notesOf("given-up"), ["given-up aborted", "given-up log true", "given-up cleanup"]);
});

t.test("none of this is an error, or ended the process", async (t) => {
  t.equal((await apache.request("/abort/release")).status, 200);
  t.notMatch(apache.sidecarLog(), /mod_ts:(error|crit)|MODTS_(?!RUNS_AS_ROOT)/);
});
