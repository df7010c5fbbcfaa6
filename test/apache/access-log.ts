/** Log handlers for what Apache serves by itself: a file that the sidecar follows. */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, startApache } from "../fixtures/httpd.ts";
import { Running } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

/** What `handlers/access-log.ts` was told about a request. */
interface Seen {
  method: string;
  uri: string;
  args: string | null;
  status: number;
  bytesSent: number;
  user: string | null;
  filename: string;
  contentType: string | null;
  hostname: string | null;
  requestTime: number;
  duration: number;
  theRequest: string;
  uniqueId: string;
  useragentIp: string;
  agent: string | null;
  aborted: boolean;
  pid: number;
}

const options = {
  before: `Define MOD_TS_ACCESS_LOG "\${FOLDER}/logs/mod_ts.json"`,
  config: { accessLog: "logs/mod_ts.json", pools: { main: { workers: 2 } } },
  handlers: { "log.ts": handlerFile("access-log.ts") },
  files: {
    "htdocs/a.txt": "0123456789",
    "htdocs/käse.txt": "cheese",
    "htdocs/directory/index.html": "index",
    "htdocs/plain/b.txt": "b",
    "htdocs/errors/404.html": "nothing here",
    users: "john:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
  },
  modules: ["mod_rewrite"],
  isWaiting: true,
};

function seenBy(apache: Apache): Seen[] {
  try {
    const lines = readFileSync(join(apache.folder, "seen.txt"), "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Seen);
  } catch {
    return [];
  }
}

/** Asks for a last resource and waits for its entry: those before it are there then. */
async function entries(apache: Apache, last: string): Promise<Seen[]> {
  await apache.request(last);
  await until(
    () =>
      seenBy(apache)
        .map(({ uri, args }) => `${uri}?${args ?? ""}\n`)
        .join(""),
    `${last}\n`,
  );
  return seenBy(apache).slice(0, -1);
}

const end = "/a.txt?end";

t.test("an entry for each request of a static site", async (t) => {
  const apache = await startApache(t, {
    ...options,
    conf: `
      Use TsLogHandler log.ts
      ErrorDocument 404 /errors/404.html
      <Location /ours>
        Use TsHandler log.ts
      </Location>
      <Location /guarded>
        AuthType Basic
        AuthName "x"
        AuthUserFile "\${FOLDER}/users"
        Require valid-user
      </Location>
      RewriteEngine On
      RewriteRule ^/old$ /a.txt [PT]
      <VirtualHost *>
        CustomLog "\${FOLDER}/logs/other.log" "%r"
        DocumentRoot "\${FOLDER}/htdocs"
        RewriteEngine On
        RewriteOptions Inherit
      </VirtualHost>
    `,
  });
  const began = Date.now() / 1000;
  const { headers } = await apache.request("/a.txt?x=%22", {
    headers: { Host: "example.test:8080", "User-Agent": 'quote " back\\slash \xe4 \t tab' },
  });
  await apache.request("/a.txt", { headers: { "If-None-Match": headers.etag ?? "" } });
  await apache.request("/a.txt", { method: "HEAD" });
  await apache.request("/a.txt", { headers: { Range: "bytes=2-4" } });
  await apache.request("/k%C3%A4se.txt");
  await apache.request("/directory/");
  await apache.request("/none%0a%22,\\");
  await apache.request("/old");
  await apache.request("/ours");
  await apache.request("/guarded");
  const basic = `Basic ${Buffer.from("john:password").toString("base64")}`;
  await apache.request("/guarded", { headers: { Authorization: basic } });
  const seen = await entries(apache, end);
  // The sidecar logs its own content at once.
  const ours = seen.findIndex(({ uri }) => uri === "/ours");
  seen.splice(8, 0, ...seen.splice(ours, 1));
  const ended = Date.now() / 1000;
  t.strictSame(
    seen.map(({ method, uri, status, bytesSent }) => [method, uri, status, bytesSent]),
    [
      ["GET", "/a.txt", 200, 10],
      ["GET", "/a.txt", 304, 0],
      ["HEAD", "/a.txt", 200, 0],
      ["GET", "/a.txt", 206, 3],
      ["GET", "/käse.txt", 200, 6],
      ["GET", "/directory/index.html", 200, 5],
      ["GET", '/none\n",\\', 404, 12],
      ["GET", "/a.txt", 200, 10],
      ["GET", "/ours", 200, 4],
      ["GET", "/guarded", 401, seen[9]?.bytesSent],
      ["GET", "/guarded", 404, 12],
    ],
    "status and bytes are those that the client got, one entry for each request",
  );
  const [first] = seen;
  t.match(
    first,
    {
      args: "x=%22",
      contentType: "text/plain",
      filename: join(apache.folder, "htdocs/a.txt"),
      hostname: "example.test",
      theRequest: "GET /a.txt?x=%22 HTTP/1.1",
      useragentIp: "127.0.0.1",
      agent: 'quote " back\\slash ä \t tab',
      user: null,
      aborted: false,
    },
    "the request is decoded",
  );
  t.equal(seen[7]?.theRequest, "GET /old HTTP/1.1", "and was sent so, whatever Apache made of it");
  t.equal(seen[10]?.user, "john", "the user is known");
  t.ok(first && first.requestTime >= began && first.requestTime <= ended, "with its time");
  t.ok(
    seen.every(({ duration }) => duration >= 0 && duration < ended - began),
    "and duration",
  );
  const nameless = `Basic ${Buffer.from(":password").toString("base64")}`;
  await apache.request("/guarded?nameless", { headers: { Authorization: nameless } });
  await until(() => JSON.stringify(seenBy(apache)), "nameless");
  t.match(
    seenBy(apache).find(({ args }) => args === "nameless"),
    { status: 401, user: null },
    "an empty name leads around no log",
  );
  t.notMatch(apache.sidecarLog(), /MODTS_ACCESS/, "no line is unreadable");
});

t.test("a section, its exceptions, and a client that leaves", async (t) => {
  const apache = await startApache(t, {
    ...options,
    conf: `
      <Location /plain>
        Use TsLogHandler log.ts
      </Location>
      <Location /plain/broken>
        Use TsLogHandler log.ts::failing
      </Location>
      <Location /a.txt>
        Use TsLogHandler log.ts
      </Location>
    `,
    files: { ...options.files, "htdocs/plain/large.bin": "x".repeat(50_000_000) },
  });
  await apache.request("/käse.txt");
  await apache.request("/plain/b.txt");
  await apache.request("/plain/broken");
  await apache.raw("GET /plain/b.txt HTTP/1.0\r\nMod-Ts-Log: x\r\nREDIRECT_MOD_TS_LOG: x\r\n\r\n");
  await new Promise<void>((resolve) => {
    const request = httpRequest({ port: apache.port, path: "/plain/large.bin" });
    request.once("response", () => request.destroy()).once("close", () => resolve());
    request.once("error", () => {}).end();
  });
  const all = (): string =>
    seenBy(apache)
      .map(({ uri }) => uri)
      .join("\n");
  await until(all, "large.bin");
  const seen = await entries(apache, end);
  t.strictSame(
    seen.map(({ uri, aborted }) => [uri, aborted]),
    [
      ["/plain/b.txt", false],
      ["/plain/b.txt", false],
      ["/plain/large.bin", true],
    ],
    "only requests of the section have an entry; an incomplete response is told",
  );
  t.match(
    await until(apache.sidecarLog, /log handler is broken/),
    /MODTS_HANDLER_FAILED/,
    "a handler that fails is logged, and the next lines are read",
  );
});

t.test("none lost, none twice: reload, crash, rotation and restart", async (t) => {
  const apache = await startApache(t, { ...options, conf: "Use TsLogHandler log.ts" });
  let asked = 0;
  const ask = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      asked += 1;
      await apache.request(`/a.txt?${asked}`);
    }
  };
  const file = join(apache.folder, "logs/mod_ts.json");
  await ask(20);

  apache.sidecar.kill("SIGHUP");
  await ask(50);
  await until(apache.sidecarLog, "reloaded, generation 2");
  await ask(20);
  const numbers = (): string =>
    seenBy(apache)
      .map(({ args }) => `<${args}>`)
      .join("");
  await until(numbers, `<${asked}>`);

  const beforeCrash = asked;
  process.kill(seenBy(apache).at(-1)?.pid ?? 0, "SIGKILL");
  await until(apache.sidecarLog, "MODTS_WORKER_DIED");
  await ask(20);
  await until(numbers, `<${asked}>`);

  /** As logrotate does: httpd goes on with the old file until it is told. */
  const rotate = async (name: string): Promise<void> => {
    renameSync(file, name);
    await ask(20);
    process.kill(Number(readFileSync(join(apache.folder, "logs/httpd.pid"), "utf8")), "SIGUSR1");
    await until(() => ask(1).then(() => String(existsSync(file))), "true");
  };
  await rotate(`${file}.1`);
  await ask(20);
  await until(numbers, `<${asked}>`);

  apache.sidecar.kill("SIGTERM");
  await until(() => String(apache.sidecar.exitCode), "0");
  await ask(20);
  await rotate(`${file}-20261130`);
  await ask(20);
  const again = new Running("start", apache.folder);
  t.teardown(() => again.child.kill("SIGTERM"));
  await until(numbers, `<${asked}>`);

  const found = seenBy(apache).map(({ args }) => Number(args));
  const missing = Array.from({ length: asked }, (_, index) => index + 1).filter(
    (number) => !found.includes(number),
  );
  t.strictSame(missing, [], `${asked} requests, each logged`);
  const doubled = found.filter((number, index) => found.indexOf(number) !== index);
  t.ok(
    doubled.every((number) => number > beforeCrash - 20 && number <= beforeCrash),
    `only those that a killed process had begun are logged again: ${doubled}`,
  );
});
