/** mod_cache beside call backs: what it keeps of one must never be served past the handlers that made it. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { originDefines, secret } from "../fixtures/origin.ts";

const port = await freePort("127.0.0.1");
const cached = await startApache(t, {
  modules: ["mod_cache", "mod_cache_disk", "mod_expires"],
  before: `${originDefines}Listen 127.0.0.1:${port}`,
  config: { secret, origin: { url: `http://127.0.0.1:${port}`, requestWorkers: 128 } },
  files: {
    "htdocs/gate/page.html": "behind a gate",
    "htdocs/plain/page.html": "for everybody",
    "cache/README": "",
  },
  handlers: {
    "gate.ts": handlerFile("origin-cache-gate.ts"),
  },
  conf: `
    CacheRoot "\${FOLDER}/cache"
    CacheEnable disk /
    CacheHeader On
    ExpiresActive On
    ExpiresDefault A600
    <Location "/gate">
      Use TsAroundHandler "gate.ts mod_ts/origin"
    </Location>`,
});
chmodSync(join(cached.folder, "cache"), 0o777);

// The name in the cache: the host and the port that call backs come to.
const headers = { host: `127.0.0.1:${port}` };

t.test("a page behind a handler is not kept", async (t) => {
  const open = { headers: { ...headers, "x-open": "yes" } };
  for (const round of [1, 2]) {
    const reply = await cached.request("/gate/page.html", open);
    t.match(reply, { status: 200, body: "behind a gate", headers: { "x-cache": /MISS/ } });
    t.equal(reply.headers["mod-ts-origin"], undefined, String(round));
  }
  t.equal((await cached.request("/gate/page.html", { headers })).status, 403);
});

t.test("what Apache serves alone is, as ever", async (t) => {
  await cached.request("/plain/page.html", { headers });
  const again = await cached.request("/plain/page.html", { headers });
  t.match(again, { status: 200, body: "for everybody", headers: { "x-cache": /HIT/ } });
});
