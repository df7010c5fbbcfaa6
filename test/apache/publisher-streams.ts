/** Streams of `mod_ts/publisher`: sent as they come, at the client's pace, ended when it goes, on the version they began with. */
import t from "tap";
import { gateModule } from "../fixtures/gate.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { publishedFolder } from "../fixtures/published-folder.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const streams = (version: string): string =>
  handlerFile("publisher-streams/s.ts").replace('name: string = "one"', `name = "${version}"`);

const apache = await startApache(t, {
  config: { limits: { handlerTimeout: 3000 } },
  conf: `
    ${publishedFolder}
    ${journalConf}
  `,
  handlers: {
    "journal.ts": journalModule,
    "gate.ts": gateModule,
    "pub/s.ts": streams("one"),
  },
});

const get = (name: string) => apache.request(`/pub/s/${name}`);

t.test("everything that gives its parts one after another", async (t) => {
  for (const [name, type, body] of [
    ["sync", "text/plain; charset=utf-8", "abc"],
    ["readable", "text/plain; charset=utf-8", "xy"],
    ["web", "text/plain; charset=utf-8", "w1 w2"],
    ["iterable", "text/plain; charset=utf-8", "i"],
    ["iterator", "text/plain; charset=utf-8", "12"],
    ["events", "text/event-stream; charset=utf-8", "data: 1\n\n"],
    ["empty", undefined, ""],
    ["page", "text/plain; charset=utf-8", "<!doctype html></html>"],
  ] as const) {
    const reply = await get(name);
    t.match(reply, { status: 200, body }, name);
    t.equal(reply.headers["content-type"], type, name);
  }
  t.equal((await get("sync")).headers["content-length"], "3", "what is made at once has a length");
  t.equal((await get("large")).body.length, 2_000_000);
});

t.test("a part arrives before the next one is made", async (t) => {
  const client = new RawClient(apache.port).head("GET /pub/s/gated HTTP/1.1", "Connection: close");
  await client.until(/first /);
  t.notMatch(client.text, "second");
  t.equal((await get("open")).body, "opened");
  t.match(await client.closed, /second [^]*of one/);
});

t.test("a version serves its streams to their end, and is disposed of then", async (t) => {
  const client = new RawClient(apache.port).head("GET /pub/s/gated HTTP/1.1", "Connection: close");
  await client.until(/first /);
  apache.write("handlers/pub/s.ts", streams("two"));
  t.equal((await get("version")).body, "two");
  t.notOk((await readJournal(apache)).includes("one disposed"));
  await get("open");
  t.match(await client.closed, /second [^]*of one/);
  t.ok(await journalHas(apache, "one disposed"));
});

t.test("what fails", async (t) => {
  t.equal((await get("early")).status, 500);
  t.equal((await get("wrong")).status, 500);
  const client = new RawClient(apache.port).head("GET /pub/s/late HTTP/1.1", "Connection: close");
  await client.until(/begun/);
  await get("open");
  const cut = await client.closed;
  t.notMatch(cut, /\r\n0\r\n\r\n$/, "no last chunk: nobody takes this for a whole answer");
  const log = await until(() => apache.sidecarLog(), "too late");
  t.match(log, /invalid result of \S+\/s\.ts\/wrong: a part of a stream must be text or bytes/);
});

t.test("HEAD makes the first part alone", async (t) => {
  const reply = await apache.request("/pub/s/counted", { method: "HEAD" });
  t.match(reply, { status: 200, headers: { "content-type": "text/plain; charset=utf-8" } });
  const entries = await journalHas(apache, "ended");
  t.notOk(entries.includes("went on"));
});

for (const [name, entry] of [
  ["asked", "asked returned"],
  ["waiting", undefined],
  ["endless", "endless returned, held back"],
  ["node", "node closed"],
  ["pulled", "pulled cancelled"],
] as const) {
  t.test(`a client that goes away ends it: ${name}`, async (t) => {
    const client = new RawClient(apache.port).head(`GET /pub/s/${name} HTTP/1.1`);
    await client.until(/\r\n\r\n[^]/);
    client.leave();
    const entries = await journalHas(apache, `${name} cleanup`);
    if (entry) t.ok(entries.includes(entry), entry);
  });
}
