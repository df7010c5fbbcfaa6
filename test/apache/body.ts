/** Request bodies: streamed, promised before they are sent, limited, broken off. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  conf: `
    <Location /body>
      Use TsHandler body.ts
    </Location>
    <Location /body/small>
      Use TsOption mod_ts.request.body_bytes 10
      LimitRequestBody 5
    </Location>
    <Location /body/wrong>
      Use TsOption mod_ts.request.body_bytes 10M
    </Location>
    <Location /body/eager>
      SetEnvIf Host . proxy-prefetch-nonblocking
    </Location>
    ${journalConf}
  `,
  files: { "htdocs/hello.ts": "source" },
  config: { limits: { bodyBytes: 100_000 } },
  handlers: {
    "journal.ts": journalModule,
    "body.ts": handlerFile("body.ts"),
  },
});

/** Four characters at a time, so that one of two bytes is cut in the middle. */
const inFours = ["one\n", "two\n", "thr\ufffd", "\ufffde"];

t.test("every way to read, with a length and chunked", async (t) => {
  const text = "one\ntwo\nthrée";
  for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
    const post = async (way: string, body: string): Promise<string> =>
      (await apache.request(`/body/${way}`, { method: "POST", body, headers })).body;
    t.same(JSON.parse(await post("read", text)), inFours);
    t.same(JSON.parse(await post("line", text)), ["one\n", "tw", "o\nthrée"]);
    t.same(JSON.parse(await post("lines", text)), ["one\n", "two\n", "thrée"]);
    t.equal(await post("text", text), text, "text() returns what was sent");
    t.equal(await post("web", text), text, "a web request has the same body");
    t.equal(
      await post("json", '{"a":[1,"é"]}'),
      '{"got":{"a":[1,"é"]}}',
      "json() returns what was sent",
    );
    t.match(await post("json", "{"), /not valid JSON/);
    t.equal(await post("ignore", text), "ignored", "a body that is not read delays nothing");
    for (const way of ["text", "web", "ignore"]) {
      t.equal(await post(way, ""), way === "ignore" ? "ignored" : "", `${way}: empty`);
    }
  }
});

const framings = ["Content-Length: 40000", "Transfer-Encoding: chunked"];

/** Half of 40000 bytes, in either framing. */
const half = (client: RawClient, framing: string): RawClient =>
  framing.startsWith("C") ? client.send("a".repeat(20_000)) : client.chunk("a".repeat(20_000));

for (const framing of framings) {
  t.test(`the handler reads what there is before the rest is sent, ${framing}`, async (t) => {
    const client = new RawClient(apache.port);
    const name = framing.split(":")[0];
    client.head(`POST /body/stream?${name} HTTP/1.1`, "Connection: close", framing);
    half(client, framing);
    const before = await journalHas(apache, `${name} first`);
    t.notOk(before.includes(`${name} end 40000`), "the handler runs before the body is complete");
    half(client, framing).send(framing.startsWith("C") ? "" : "0\r\n\r\n");
    t.match(await client.closed, /^HTTP\/1.1 200 [^]*\r\n40000$/);
    await journalHas(apache, `${name} end 40000`);
  });

  t.test(`a client that leaves in mid-upload, ${framing}`, async (t) => {
    const client = new RawClient(apache.port);
    const entries = (await readJournal(apache)).length;
    client.head("POST /body/broken HTTP/1.1", framing);
    half(client, framing);
    await journalHas(apache, "broken begins", entries);
    client.leave();
    const seen = await journalHas(apache, "broken MODTS_BODY_ABORTED", entries);
    t.equal(
      seen.at(-1),
      "broken MODTS_BODY_ABORTED",
      "the handler is told that the body was cut off",
    );
    t.notMatch(apache.sidecarLog(), /MODTS_HANDLER_FAILED|MODTS_WORKER_DIED/);
  });
}

t.test("a short body waits in Apache until it is whole, unless it is told not to", async (t) => {
  for (const path of ["/body/stream", "/body/eager/stream"]) {
    const client = new RawClient(apache.port);
    const entries = (await readJournal(apache)).length;
    client.head(`POST ${path}?short HTTP/1.1`, "Connection: close", "Content-Length: 2").send("a");
    if (path.includes("eager")) await journalHas(apache, "short first", entries);
    else t.equal((await readJournal(apache)).length, entries);
    client.send("b");
    t.match(await client.closed, /\r\n2$/);
  }
});

t.test("Expect: 100-continue", async (t) => {
  const begin = (way: string, framing: string): RawClient =>
    new RawClient(apache.port).head(
      `POST /body/${way} HTTP/1.1`,
      "Expect: 100-continue",
      "Connection: close",
      framing,
    );
  for (const framing of ["Content-Length: 40000", "Transfer-Encoding: chunked"]) {
    const client = begin("stream", framing);
    t.match(await client.until(/\r\n\r\n/), /^HTTP\/1.1 100 Continue\r\n\r\n/);
    half(half(client, framing), framing).send(framing.startsWith("C") ? "" : "0\r\n\r\n");
    t.match(await client.closed, /HTTP\/1.1 200 [^]*\r\n40000$/);
    t.match(await begin("refuse", framing).closed, /^HTTP\/1.1 403 [^]*refused$/);
    t.match(await begin("ignore", framing).closed, /^HTTP\/1.1 200 [^]*ignored$/);
  }
  t.match(await begin("text", "Content-Length: 100001").closed, /^HTTP\/1.1 413 /);
  t.equal((await apache.request("/journal")).status, 200);
});

t.test("over the limit of a section: 413", async (t) => {
  for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
    const send = (path: string, length: number) =>
      apache.request(path, { method: "POST", body: "a".repeat(length), headers });
    t.match(await send("/body/small/text", 10), { status: 200, body: "aaaaaaaaaa" });
    t.match(await send("/body/small/text", 11), { status: 413, body: /too large/i });
    t.equal((await send("/body/text", 11)).status, 200, "and no other section");
    t.equal((await send("/body/wrong/text", 1)).status, 500, "an invalid one lets nothing in");
  }
});

t.test("over the limit: 413", async (t) => {
  const send = (way: string, size: number, chunked: boolean) =>
    apache.request(`/body/${way}`, {
      method: "POST",
      body: "a".repeat(size),
      headers: chunked ? { "transfer-encoding": "chunked" } : {},
    });
  for (const chunked of [false, true]) {
    t.equal((await send("text", 100_000, chunked)).body.length, 100_000, "the limit itself passes");
    for (const way of ["text", "stream", "read", "web", "lines"]) {
      t.match(await send(way, 100_001, chunked), { status: 413, body: /too large/i }, way);
    }
    t.equal(
      (await send("ignore", 100_001, chunked)).body,
      "ignored",
      "who does not read has no limit",
    );
  }
  t.match(
    await until(apache.sidecarLog, /MODTS_BODY_TOO_LARGE: .*\b100000 bytes/),
    /MODTS_BODY_TOO_LARGE: .*\b100000 bytes/,
  );
});

t.test("who answers without reading everything is heard, however long the upload", async (t) => {
  const body = Buffer.alloc(90_000);
  const long = Buffer.alloc(5_000_000);
  const expected: Record<string, [number, RegExp | string]> = {
    refuse: [403, "refused"],
    ignore: [200, "ignored"],
    some: [200, "4"],
    break: [200, "true"],
    destroy: [200, "destroyed"],
    pull: [415, /Unsupported/],
    long: [200, /^y{3000000}$/],
  };
  const headers = { "transfer-encoding": "chunked" };
  for (const [way, [status, text]] of Object.entries(expected)) {
    for (const ask of [{ body }, { body, headers }, { body: long, headers }]) {
      t.match(
        await apache.request(`/body/${way}`, { ...ask, method: "POST" }),
        { status, body: text },
        way,
      );
    }
  }
  for (const way of ["text", "read", "web", "ignore"]) {
    for (const more of [{}, headers, { expect: "100-continue" }]) {
      const reply = await apache.request(`/body/${way}`, {
        method: "POST",
        body: long,
        headers: more,
      });
      t.equal(reply.status, way === "ignore" ? 200 : 413, `${way} ${JSON.stringify(more)}`);
    }
  }
});

t.test("the door, too, is heard when it refuses an upload", async (t) => {
  for (const headers of [{}, { "transfer-encoding": "chunked" }, { expect: "100-continue" }]) {
    const reply = await apache.request("/hello.ts", {
      method: "POST",
      body: Buffer.alloc(5_000_000),
      headers,
    });
    t.equal(reply.status, 403, "a request for a source is refused");
  }
});

t.test("a body that is asked for after a long answer is an error and not a wait", async (t) => {
  const client = new RawClient(apache.port);
  client.head("POST /body/late HTTP/1.1", "Content-Length: 90000").send(Buffer.alloc(90_000));
  await client.until(/yyy/);
  await journalHas(apache, "late MODTS_BODY_USED");
  t.notMatch(await client.closed, /\r\n0\r\n\r\n$/, "cut off");
});

t.test("a refused upload leaves connections that work", async (t) => {
  for (let count = 0; count < 20; count += 1) {
    const body = "a".repeat(60_000);
    const [refused, read] = await Promise.all([
      apache.request("/body/refuse", { method: "POST", body }),
      apache.request("/body/text", { method: "POST", body }),
    ]);
    t.equal(refused.status, 403, "the refusal is sent");
    t.equal(read.body.length, 60_000, "the upload beside it is read whole");
  }
});
