/** Ten thousand sessions, two worker processes, one SQLite file: every count is kept. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { Browsers } from "../fixtures/browser.ts";
import { askStatus } from "../../src/supervisor/control.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const many = 10_000;
/** Requests at a time. */
const clients = 24;

const apache = await startApache(t, {
  conf: `
    MaxKeepAliveRequests 0
    KeepAliveTimeout 100
    <Location />
      Use TsHandler counter.ts
    </Location>
  `,
  config: { pools: { main: { workers: 2 } } },
  handlers: {
    "counter.ts": handlerFile("sessions-many-counter.ts"),
  },
  isWaiting: true,
});
// Apache keeps its connections: before the second worker is there, all of them would lead to the first.
await until(async () => (await askStatus(join(apache.folder, "run"))).state, "ready");
const browsers = new Browsers(t, apache.port, clients);

/** Calls `act` with every number below `count`, a few at a time. */
async function each(count: number, act: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

t.test("ten thousand sessions, a quarter of them with two requests at the same time", async (t) => {
  const cookies: string[] = [];
  await each(many, async (at) => (cookies[at] = await browsers.start("/")));
  t.equal(new Set(cookies).size, many);
  const pids = new Set<string>();
  await each(many / 4, async (at) => {
    const ask = () => browsers.ask("/", cookies[at]);
    for (const { body } of await Promise.all([ask(), ask()])) pids.add(body);
  });
  t.equal(pids.size, 2, "both workers took part");

  const database = new DatabaseSync(join(apache.folder, "run/sessions.db"), { readOnly: true });
  t.teardown(() => database.close());
  const ours = "FROM session WHERE id != '#sweep'";
  const totals = database.prepare(
    `SELECT data, count(*) AS many ${ours} GROUP BY data ORDER BY data`,
  );
  t.strictSame(
    totals.all().map((row) => ({ ...row })),
    [
      { data: '{"n":1}', many: many * 0.75 },
      { data: '{"n":3}', many: many * 0.25 },
    ],
  );
  t.strictSame(database.prepare(`SELECT lock ${ours} AND lock != ''`).all(), [], "no lock is left");
});
