/** Server-sent events: each one arrives while the handler still runs. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  conf: `
    <Location /events>
      Use TsHandler events.ts
    </Location>
    ${journalConf}
  `,
  config: { limits: { handlerTimeout: 20 } },
  handlers: {
    "journal.ts": journalModule,
    "events.ts": handlerFile("events.ts"),
  },
});

/** Lets the handler go on. */
const step = (): Promise<unknown> => apache.request("/events/step");

for (const way of ["write", "flag", "response", "late"]) {
  t.test(`events by ${way}`, async (t) => {
    const client = new RawClient(apache.port);
    client.head(`GET /events/${way} HTTP/1.1`, "Accept: text/event-stream", "Connection: close");
    for (const id of [1, 2, 3]) {
      await client.until(new RegExp(`id: ${id}\n`));
      const seen = await journalHas(apache, `${way} sent ${id}`);
      t.notOk(seen.includes(`${way} end`), `event ${id} came while the handler runs`);
      t.notMatch(client.text, `id: ${id + 1}\n`);
      // Longer than a handler may take to begin its answer: one that has begun is not bound by it.
      if (id === 1) await sleep(60);
      await step();
    }
    t.match(await client.closed, /\r\n0\r\n\r\n$/, "complete");
    t.match(client.text, /^Content-Type: text\/event-stream(; charset=utf-8)?\r$/im);
    t.notMatch(client.text, /^Content-Length/im);
    t.equal((await readJournal(apache)).at(-1), `${way} end`, "the handler ended");
  });
}

t.test("HTTP/1.0 gets them as they come, ended by the end of the connection", async (t) => {
  const entries = (await readJournal(apache)).length;
  const client = new RawClient(apache.port).head("GET /events/write HTTP/1.0");
  await client.until(/id: 1\n/);
  for (const id of [1, 2, 3]) {
    await journalHas(apache, `write sent ${id}`, entries);
    await step();
  }
  t.match(
    await client.closed,
    /\r\n\r\nid: 1\ndata: write\n\nid: 2\ndata: write\n\nid: 3\ndata: write\n\n$/,
  );
  t.notMatch(client.text, /chunked/i);
});

t.test("the time limit of handlers does not end a stream that has begun", async (t) => {
  t.notMatch(apache.sidecarLog(), /MODTS_HANDLER_TIMEOUT/);
});
