/** What runs after the response: log handlers, registered cleanups, cleanup handlers. */
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    ${journalConf}
    <Location /app>
      Use TsHandler app.ts
      Use TsLogHandler app.ts
      Use TsCleanupHandler app.ts
      Use TsDebug On
    </Location>
    <Location /slow>
      Use TsHandler app.ts::slow
    </Location>
  `,
  handlers: {
    "journal.ts": journalModule,
    "app.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { note } from "./journal.ts";
      import { OK, type ApacheRequest } from "mod-ts";
      export const handler = (req: ApacheRequest) => {
        const name = req.uri.split("/").at(-1)!;
        req.registerCleanup((data) => note(name + " first " + data.n + " " + req.status), { n: 1 });
        req.registerCleanup(() => { throw new Error("cleanup-detail"); });
        req.registerCleanup(async () => { await sleep(5); note(name + " last"); });
        if (name === "fails") throw new Error("broken");
        if (name === "missing") return 404;
        req.write("content");
        return OK;
      };
      export const logHandler = (req: ApacheRequest) => {
        note(req.uri.split("/").at(-1) + " log " + req.status + " " + (req.bytesSent > 0));
        if (req.args === "bad-log") throw new Error("log-detail");
        return OK;
      };
      export const cleanupHandler = (req: ApacheRequest) => {
        note(req.uri.split("/").at(-1) + " cleanup");
        throw new Error("handler-detail");
      };
      export const slow = (req: ApacheRequest) => {
        req.registerCleanup(async () => { await sleep(300); note("slow done"); });
        req.write("answered");
        return OK;
      };
    `,
  },
});

for (const [name, status] of Object.entries({ fine: 200, missing: 404, fails: 500 })) {
  t.test(`${name}: log, then cleanups, the last one first, then the cleanup handler`, async (t) => {
    const reply = await apache.request(`/app/${name}`);
    t.equal(reply.status, status);
    const seen = (await journalHas(apache, `${name} cleanup`)).filter((e) => e.startsWith(name));
    t.strictSame(seen, [
      `${name} log ${status} true`,
      `${name} last`,
      `${name} first 1 ${status}`,
      `${name} cleanup`,
    ]);
  });
}

t.test("failures there are logged, Debug or not, and reach nobody else", async (t) => {
  const reply = await apache.request("/app/last?bad-log");
  t.match(reply, { status: 200, body: /^content$/ });
  await journalHas(apache, "last cleanup");
  const log = await until(() => apache.sidecarLog(), "log-detail");
  t.match(
    log,
    /MODTS_HANDLER_FAILED: registered cleanup failed in phase cleanup[^]*cleanup-detail/,
  );
  t.match(log, /MODTS_HANDLER_FAILED: app\.ts failed in phase cleanup[^]*handler-detail/);
  t.match(log, /MODTS_HANDLER_FAILED: app\.ts failed in phase log[^]*log-detail/);
});

t.test("the client does not wait for a cleanup", async (t) => {
  t.match(await apache.request("/slow"), { body: "answered" });
  // The journal has one worker, which serves this while the cleanup waits.
  const { body } = await apache.request("/journal");
  t.notMatch(body, "slow done");
  await journalHas(apache, "slow done");
});
