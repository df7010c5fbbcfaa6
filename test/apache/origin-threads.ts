/**
 * Each request that is called back for holds two threads of Apache. 400 clients at an Apache with 64 threads must not be able to wait for each
 * other for ever: some are turned away at once, and everybody gets an answer.
 */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startOrigin(t, {
  requestWorkers: 64,
  files: { "htdocs/app/page.html": "x".repeat(2000) },
  handlers: {
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
  `,
});

t.test("everybody gets an answer, and Apache goes on", async (t) => {
  const clients = Array.from({ length: 400 }, () => new RawClient(apache.port));
  for (const client of clients) client.head("GET /app/page.html HTTP/1.1", "Connection: close");
  const answers = await Promise.all(clients.map((client) => client.closed));
  const count = (status: number): number =>
    answers.filter((text) => text.startsWith(`HTTP/1.1 ${status} `)).length;
  t.comment(`${count(200)} served, ${count(503)} turned away`);
  t.equal(count(200) + count(503), 400);
  t.ok(count(200) > 42, "those who waited for their turn were served");
  const away = answers.filter((answer) => answer.startsWith("HTTP/1.1 503"));
  t.same(
    away.filter((answer) => !/\r\nRetry-After: 1\r\n/i.test(answer)),
    [],
  );
  t.equal((await apache.request("/app/page.html")).status, 200);
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
