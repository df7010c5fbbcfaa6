/** Connections between Apache and the sidecar: kept, and closed by neither while the other may use them. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const options = {
  conf: `
    <Location /x>
      Use TsHandler connections.ts
    </Location>
  `,
  handlers: {
    "connections.ts": handlerFile("keepalive-connections.ts"),
  },
};
// No connection ends by its age while the first tests count them, however slow the machine is.
const apache = await startApache(t, {
  ...options,
  before: "Define MOD_TS_TTL 600",
  config: { keepAlive: 700_000 },
});
const hasty = await startApache(t, {
  ...options,
  before: "Define MOD_TS_TTL 1",
  // So much more than the ttl that a busy machine does not lose the difference, and little enough to see the end of it.
  config: { keepAlive: 8000 },
});

interface Connections {
  all: number;
  open: number;
}

// The first request loads the module: what it counts begins with the second.
await apache.request("/x");

const count = async (server: Apache): Promise<Connections> =>
  JSON.parse((await server.request("/x")).body) as Connections;

t.test("one after another: one connection, whatever the requests are", async (t) => {
  const { all } = await count(apache);
  for (let index = 0; index < 10; index += 1) {
    t.equal((await apache.request("/x")).status, 200, "GET");
    t.equal((await apache.request("/x?error")).status, 404, "an error response");
    t.equal((await apache.request("/x", { method: "HEAD" })).status, 200, "HEAD");
    t.equal(
      (await apache.request("/x", { method: "POST", body: "x".repeat(100_000) })).status,
      200,
    );
    const chunked = { method: "POST", body: "x", headers: { "transfer-encoding": "chunked" } };
    t.equal((await apache.request("/x", chunked)).status, 200, "a chunked body");
  }
  t.equal((await count(apache)).all, all, "no request has opened another connection");
});

t.test("many at once: as many as that, then no more", async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const replies = await Promise.all(Array.from({ length: 10 }, () => apache.request("/x?wait")));
    t.same(
      replies.map(({ status }) => status),
      Array.from({ length: 10 }, () => 200),
    );
  }
  t.ok((await count(apache)).all <= 20, "not thirty");
});

t.test("around the ttl of Apache nothing fails", async (t) => {
  for (const pause of [500, 900, 1000, 1100]) {
    const replies = await Promise.all(Array.from({ length: 5 }, () => hasty.request("/x")));
    t.same(
      replies.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    await sleep(pause);
  }
  t.equal((await hasty.request("/x")).status, 200);
  t.notMatch(hasty.errorLog(), /proxy:error|proxy_http:error/);
});

t.test("what nobody uses is closed", async (t) => {
  const few = /^[012]$/;
  t.match(await until(async () => String((await count(hasty)).open), few), few, "two are left");
});
