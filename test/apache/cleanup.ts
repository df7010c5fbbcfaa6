/** What runs after the response: log handlers, registered cleanups, cleanup handlers. */
import t from "tap";
import { gateConf, gateModule } from "../fixtures/gate.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    ${journalConf}
    ${gateConf}
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
    "gate.ts": gateModule,
    "app.ts": handlerFile("cleanup-app.ts"),
  },
});

for (const [name, status] of Object.entries({ fine: 200, missing: 404, fails: 500 })) {
  t.test(`${name}: log, then cleanups, the last one first, then the cleanup handler`, async (t) => {
    const reply = await apache.request(`/app/${name}`);
    t.equal(reply.status, status, `status of ${name}`);
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
  // There is one worker, which serves this while the cleanup waits.
  t.notOk((await readJournal(apache)).includes("slow done"), "the cleanup still waits");
  await apache.request("/gate");
  t.ok(await journalHas(apache, "slow done"), "and ends after the response");
});
