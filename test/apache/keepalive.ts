/** Connections between Apache and the sidecar: kept, and closed by neither while the other may use them. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  before: "Define MOD_TS_TTL 1",
  conf: `
    <Location /x>
      Use TsHandler connections.ts
    </Location>
  `,
  // More than the ttl, as the configuration asks for, and little enough to see the end of it.
  config: { keepAlive: 2000 },
  handlers: {
    "connections.ts": `
      import { subscribe } from "node:diagnostics_channel";
      import type { Socket } from "node:net";
      import { type ApacheRequest, OK } from "mod-ts";
      const sockets = new Set<Socket>();
      subscribe("http.server.request.start", (message) => sockets.add((message as { socket: Socket }).socket));
      export const handler = async (req: ApacheRequest) => {
        await req.discardRequestBody();
        if (req.args === "wait") await new Promise((done) => setTimeout(done, 20));
        const open = [...sockets].filter((socket) => !socket.destroyed).length;
        req.write(JSON.stringify({ all: sockets.size, open }));
        return req.args === "error" ? 404 : OK;
      };
    `,
  },
});

interface Connections {
  all: number;
  open: number;
}

// The first request loads the module: what it counts begins with the second.
await apache.request("/x");

const count = async (): Promise<Connections> =>
  JSON.parse((await apache.request("/x")).body) as Connections;

t.test("one after another: one connection, whatever the requests are", async (t) => {
  const { all } = await count();
  for (let index = 0; index < 10; index += 1) {
    t.equal((await apache.request("/x")).status, 200);
    t.equal((await apache.request("/x?error")).status, 404);
    t.equal((await apache.request("/x", { method: "HEAD" })).status, 200);
    t.equal(
      (await apache.request("/x", { method: "POST", body: "x".repeat(100_000) })).status,
      200,
    );
    const chunked = { method: "POST", body: "x", headers: { "transfer-encoding": "chunked" } };
    t.equal((await apache.request("/x", chunked)).status, 200);
  }
  t.equal((await count()).all, all);
});

t.test("many at once: as many as that, then no more", async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const replies = await Promise.all(Array.from({ length: 10 }, () => apache.request("/x?wait")));
    t.same(
      replies.map(({ status }) => status),
      Array.from({ length: 10 }, () => 200),
    );
  }
  t.ok((await count()).all <= 20, "not thirty");
});

t.test("around the ttl of Apache nothing fails", async (t) => {
  for (const pause of [500, 900, 1000, 1100]) {
    const replies = await Promise.all(Array.from({ length: 5 }, () => apache.request("/x")));
    t.same(
      replies.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    await sleep(pause);
  }
  t.equal((await apache.request("/x")).status, 200);
  t.notMatch(apache.errorLog(), /proxy:error|proxy_http:error/);
});

t.test("what nobody uses is closed", async (t) => {
  let open = Infinity;
  for (let tries = 0; open > 2 && tries < 30; tries += 1) {
    await sleep(200);
    ({ open } = await count());
  }
  t.ok(open <= 2);
});
