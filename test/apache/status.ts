/** mod_ts/status behind a real Apache, and the routes of the sidecar itself. */
import { request } from "node:http";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startBrowser, withoutBrowser } from "../fixtures/chromium.ts";
import { startApache } from "../fixtures/httpd.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef0123";
const handlers = handlerFiles("status");
const conf = `Define MOD_TS_SECRET ${secret}
<Location "/hello"> 
    Use TsHandler hello.ts
    Use TsOption mod_ts.server_timing On
</Location>
<Location "/fails">
    Use TsHandler fails.ts
</Location>
<Location "/slow">
    Use TsHandler slow.ts
</Location>
<Location "/members/">
    AuthType None
    Use TsAccessHandler members.ts
    Require valid-user
</Location>
<Location "/mod-ts-status">
    Use TsHandler mod_ts/status
</Location>
<Location "/elsewhere">
    Use TsHandler mod_ts/status
    Use TsOption mod_ts.status.allow "192.0.2.0/24 2001:db8::/32"
</Location>
<Location "/public">
    Use TsHandler mod_ts/status::metrics
    Use TsOption mod_ts.status.allow everyone
</Location>
<Location "/health">
    Use TsHandler mod_ts/status::ready
</Location>`;

t.test("status", async (t) => {
  const apache = await startApache(t, {
    handlers,
    before: `Define MOD_TS_SECRET ${secret}\n`,
    conf: conf.replace(/^Define.*\n/, ""),
    files: { "htdocs/members/a.txt": "secret" },
    authorizer: true,
    modules: ["mod_unique_id"],
    config: { secret, fastify: ["own.ts"], log: { access: true, slow: 50 } },
  });
  const status = async (): Promise<any> =>
    JSON.parse((await apache.request("/mod-ts-status?format=json")).body);

  /** Waits until a worker has reported what it counted. */
  const statusWhen = async (isThere: (status: any) => boolean): Promise<any> => {
    for (;;) {
      const now = await status();
      if (isThere(now)) return now;
    }
  };

  await t.test("counts of handlers, errors with their source line, workers", async (t) => {
    for (let count = 0; count < 5; count += 1) await apache.request("/hello");
    t.equal((await apache.request("/fails")).status, 500);
    await apache.request("/members/a.txt");
    const seen = await statusWhen(
      ({ pools }) =>
        pools[0].counts.calls.handler?.["fails.ts"] &&
        pools.some(({ counts }: any) => counts.events.access_granted),
    );
    t.match(seen, { state: "ready", generation: 1, reasons: [] });
    t.match(seen.pools[0].counts.calls.handler["hello.ts"], { calls: 5, errors: 0 });
    t.match(seen.pools[0].counts.calls.handler["fails.ts"], { calls: 1, errors: 1 });
    t.match(seen.pools[0].workers[0], { state: "ready", gauges: { rss: Number, lag: Number } });
    t.match(seen.errors[0], {
      code: "MODTS_HANDLER_FAILED",
      uniqueId: /\S/,
      place: /fails\.ts:2:9$/,
      source: 'throw new Error("boom"); // here',
    });
  });

  await t.test("the page renews itself under a reader", { skip: withoutBrowser }, async (t) => {
    const browser = await startBrowser(t);
    const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
    await page.goto(`${apache.url}/mod-ts-status`);
    const table = page.getByRole("region", { name: "Pools and workers" });
    const first = await table.elementHandle();
    await first?.evaluate((region) => Object.assign(region, { scrollLeft: 40 }));
    await table.focus();
    await page.waitForFunction((region) => !region?.isConnected, first);
    t.equal(await table.evaluate((region) => region.scrollLeft), 40);
    t.equal(await page.locator(".scroll:focus").count(), 1);
  });

  await t.test("a page, its parts, and metrics", async (t) => {
    const page = await apache.request("/mod-ts-status");
    t.match(page, { status: 200, headers: { "content-type": /^text\/html/ }, body: /hello\.ts/ });
    t.match(
      (await apache.request("/mod-ts-status?format=style")).headers["content-type"],
      "text/css",
    );
    t.equal((await apache.request("/mod-ts-status", { method: "POST" })).status, 405);
    const metrics = await apache.request("/public");
    t.match(metrics.headers["content-type"], "application/openmetrics-text");
    t.match(
      metrics.body,
      /mod_ts_handler_duration_seconds_count\{pool="main",phase="handler",handler="hello.ts"\} \d/,
    );
  });

  await t.test("shown to this machine, or to whom the option names", async (t) => {
    const forwarded = { "X-Forwarded-For": "203.0.113.9" };
    t.equal((await apache.request("/mod-ts-status", { headers: forwarded })).status, 403);
    t.equal((await apache.request("/elsewhere")).status, 403);
    t.not((await apache.request("/public", { headers: forwarded })).status, 403);
  });

  await t.test("health through Apache", async (t) => {
    // With this slow log, a worker counts as blocked while it loads the package for metrics.
    await until(async () => (await apache.request("/health")).body, '"state":"ready"');
    t.equal((await apache.request("/health")).status, 200);
  });

  await t.test("Server-Timing where an option wants it", async (t) => {
    t.match(
      (await apache.request("/hello")).headers["server-timing"],
      /^handler;dur=[\d.]+;desc="hello.ts"$/,
    );
    t.equal((await apache.request("/slow")).headers["server-timing"], undefined);
  });

  await t.test("the slow log and the access log name handler, client and id", async (t) => {
    await apache.request("/slow?password=x");
    const lines = apache.sidecarLog().split("\n");
    t.ok(
      lines.some((line) =>
        /mod_ts:warn.*\[client 127\.0\.0\.1:\d+\] MODTS_HANDLER_SLOW: slow\.ts took \d+ ms in phase handler.*\[id \S+\]/.test(
          line,
        ),
      ),
    );
    const access = lines.find((line) => / request: GET \/slow /.test(line));
    t.match(access, /mod_ts:info.* request: GET \/slow 200 slow\.ts [\d.]+ ms \[id \S+\]$/);
    t.notMatch(access, "password");
    t.ok(lines.some((line) => / access check: GET \/members\/a\.txt 200 members\.ts /.test(line)));
  });

  await t.test(
    "the sidecar's own routes: secret, health, plugins of the configuration",
    async (t) => {
      const ask = (path: string, headers: Record<string, string> = {}, body?: string) =>
        askSocket(join(apache.folder, "run/main.sock"), path, headers, body);
      t.equal((await ask("/.mod-ts/health/ready")).status, 200);
      const mine = { "Mod-Ts-Secret": secret };
      for (const path of [
        "/.mod-ts/status.json",
        "/.mod-ts/metrics",
        "/.mod-ts/queue",
        "/.mod-ts/x",
      ]) {
        t.equal((await ask(path)).status, 403, path);
        t.equal((await ask(path, { "Mod-Ts-Secret": "wrong" })).status, 403, path);
      }
      t.match(JSON.parse((await ask("/.mod-ts/status.json", mine)).body), { state: "ready" });
      t.same(JSON.parse((await ask("/.mod-ts/queue", mine)).body), { n: 7 });
      const json = { ...mine, "Content-Type": "application/json" };
      t.same(JSON.parse((await ask("/.mod-ts/echo", json, '{"a":1}')).body), { a: 1 });
      t.equal((await ask("/.mod-ts/x", mine)).status, 404);
      t.equal((await apache.request("/.mod-ts/queue")).status, 403, "not through Apache");
    },
  );

  await t.test("mod-ts status: exit codes for monitoring", async (t) => {
    const good = await modTs("status", apache.folder);
    t.match(good, { code: 0, stdout: /^ready: all workers serve\n[^]*pool main: 1 of 1/ });
    const json = await modTs("status", apache.folder, "--json");
    t.match(JSON.parse(json.stdout), { state: "ready", listeners: Array });
    const [pid = ""] = readFileSync(join(apache.folder, "run/mod-ts.pid"), "utf8").split("\n");
    t.equal(JSON.parse(json.stdout).pid, Number(pid));
  });

  await t.test("counts survive a reload", async (t) => {
    const calls = ({ pools }: any): number => pools[0].counts.calls.handler["hello.ts"].calls;
    await apache.request("/hello");
    const before = calls(await status());
    t.equal((await modTs("reload", apache.folder)).code, 0);
    const after = await statusWhen(({ generation }) => generation === 2);
    t.ok(calls(after) >= before);
    t.match(after.lastReload, { ok: true });
  });
});

interface SocketReply {
  status: number;
  body: string;
}

function askSocket(
  socketPath: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<SocketReply> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const question = request({ socketPath, path, headers, method, agent: false });
    question.once("error", reject);
    question.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    question.end(body);
  });
}
