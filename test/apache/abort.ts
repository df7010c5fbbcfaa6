/** A client that goes away: the handler learns it, what it registered runs, the process goes on. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  // Long enough for a busy machine, short enough to wait for.
  before: "Define MOD_TS_TIMEOUT 5",
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
    "abort.ts": handlerFile("abort.ts"),
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
