/**
 * Each request that is called back for holds two threads of Apache. 400 clients at an Apache with 64 threads must not be able to wait for each
 * other for ever: some are turned away at once, and everybody gets an answer.
 */
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startOrigin(t, {
  requestWorkers: 64,
  files: { "htdocs/app/page.html": "x".repeat(2000) },
  handlers: {
    "filters.ts": handlerFile("filters.ts"),
    "decider.ts": handlerFile("decider.ts"),
    "slow.ts": handlerFile("origin-threads-slow.ts"),
    "forgetful.ts": handlerFile("origin-threads-forgetful.ts"),
  },
  conf: `
    ServerLimit 4
    ThreadsPerChild 16
    MaxRequestWorkers 64
    <Location "/app">
      Use TsHandler "slow.ts mod_ts/origin"
    </Location>
    <Location "/forgetful">
      Use TsAroundHandler forgetful.ts
    </Location>
    Alias "/passed" "\${FOLDER}/htdocs/app"
    <Location "/passed">
      Use TsAroundHandler mod_ts/origin
    </Location>
    Alias "/filtered" "\${FOLDER}/htdocs/app"
    <Location "/filtered">
      Use TsOutputFilter filters.ts
    </Location>
    Alias "/rewritten" "\${FOLDER}/htdocs/app"
    <Location "/rewritten">
      Use TsOutputFilter filters.ts::html
    </Location>
    Alias "/decided" "\${FOLDER}/htdocs/app"
    <Location "/decided">
      Use TsFixupHandler decider.ts
    </Location>
  `,
});

/** Sends as many requests at the same time, and counts the statuses. */
async function crowd(t: Test, path: string, size: number): Promise<(status: number) => number> {
  const clients = Array.from({ length: size }, () => new RawClient(apache.port));
  for (const client of clients) client.head(`GET ${path} HTTP/1.1`, "Connection: close");
  const answers = await Promise.all(clients.map((client) => client.closed));
  const withStatus = (status: number): string[] =>
    answers.filter((text) => text.startsWith(`HTTP/1.1 ${status} `));
  const away = withStatus(503);
  t.comment(`${withStatus(200).length} served, ${away.length} turned away`);
  t.same(
    away.filter((answer) => !/\r\nRetry-After: 1\r\n/i.test(answer)),
    [],
  );
  return (status) => withStatus(status).length;
}

t.test("everybody gets an answer, and Apache goes on", async (t) => {
  const count = await crowd(t, "/app/page.html", 400);
  t.equal(count(200) + count(503), 400);
  t.ok(count(200) > 42, "those who waited for their turn were served");
  t.equal((await apache.request("/app/page.html")).status, 200);
});

for (const place of ["passed", "filtered", "rewritten"]) {
  t.test(`everybody gets an answer: ${place}`, async (t) => {
    const count = await crowd(t, `/${place}/page.html`, 120);
    t.equal(count(200) + count(503), 120);
    t.ok(count(200) >= 42, "a third of the threads, and as many that waited");
    t.equal((await apache.request(`/${place}/page.html`)).status, 200);
  });
}

t.test("a decision needs no second thread, and turns nobody away", async (t) => {
  const count = await crowd(t, "/decided/page.html", 120);
  t.equal(count(200), 120);
});

t.test("an answer that comes when its request is over gives its place back", async (t) => {
  for (let count = 0; count < 30; count += 1) {
    t.equal(
      (await apache.request("/forgetful/page.html")).body,
      "early",
      "the handler does not wait for its callback",
    );
  }
  t.equal((await apache.request("/app/page.html")).status, 200);
});
