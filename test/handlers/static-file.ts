/** The plain file of a request that every content handler declined, as Apache's own default handler would send it. */
import { mkdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createStaticFile } from "../../src/handlers/static-file.ts";
import { type ApacheRequest, DECLINED } from "../../src/index.ts";
import { type GatewayAsk, type GatewayReply, startEngine } from "../fixtures/gateway.ts";

const folder = t.testdir({
  "a.txt": "0123456789",
  empty: "",
  "b.ts": "secret",
  "c.tsp~": "secret",
  state: { "login.key": "secret" },
  "state.txt": "public",
  "secret.txt": "secret",
});
const odd = "100% #1? häß [x].txt";
writeFileSync(join(folder, odd), "odd");
mkdirSync(join(folder, "sub"));
symlinkSync("a.txt", join(folder, "link.txt"));
symlinkSync("state", join(folder, "other"));
writeFileSync(join(folder, "big.bin"), "");
truncateSync(join(folder, "big.bin"), 1_000_000);

const peer = await startEngine(
  t,
  {
    declines: { handler: () => DECLINED },
    types: { handler: (req: ApacheRequest) => ((req.contentType = "text/x-own"), DECLINED) },
  },
  { fallback: createStaticFile([join(folder, "state"), join(folder, "secret.txt")]) },
);

function get(name: string, ask: GatewayAsk = {}, context = {}): Promise<GatewayReply> {
  const fields = {
    filename: join(folder, name),
    pathInfo: "",
    contentType: "text/plain",
    ...context,
  };
  return peer.ask(["handler declines"], { ...ask, context: fields });
}

t.test("the sidecar's own files are never sent, whatever path names them", async (t) => {
  const own = ["state/login.key", "other/login.key", "secret.txt", "sub/../state/login.key"];
  for (const name of own) {
    const filename = `${folder}/${name}`;
    t.equal((await get("a.txt", {}, { filename })).status, 403, name);
  }
  t.match(await get("state.txt"), { status: 200, body: "public" });
});

t.test("the file, with its type, length and validators", async (t) => {
  const reply = await get("a.txt");
  t.match(reply, {
    status: 200,
    body: "0123456789",
    headers: {
      "content-type": /^text\/plain/,
      "content-length": "10",
      "accept-ranges": "bytes",
      "last-modified": statSync(join(folder, "a.txt")).mtime.toUTCString(),
      etag: /^(?:W\/)?"/,
    },
  });
  t.equal(reply.headers["cache-control"], undefined);
  t.match(await get("link.txt"), { status: 200, body: "0123456789" });
  t.match(await get("empty"), { status: 200, body: "" });
  t.equal((await get("big.bin")).body.length, 1_000_000);
});

t.test("names with characters that mean something in a URL", async (t) => {
  t.match(await get(odd), { status: 200, body: "odd" });
});

t.test("a type that Apache does not know is not guessed; a handler may set one", async (t) => {
  const unknown = await get("a.txt", {}, { contentType: "" });
  t.equal(unknown.headers["content-type"], "application/octet-stream");
  const context = { filename: join(folder, "a.txt"), pathInfo: "", contentType: "text/plain" };
  const own = await peer.ask(["handler types"], { context });
  t.match(own.headers["content-type"], /^text\/x-own/);
});

t.test("HEAD: the same headers, no body", async (t) => {
  t.match(await get("a.txt", { method: "HEAD" }), {
    status: 200,
    body: "",
    headers: { "content-length": "10", etag: /"/ },
  });
});

t.test("conditional requests", async (t) => {
  const { headers } = await get("a.txt");
  const etag = headers.etag ?? "";
  const since = headers["last-modified"] ?? "";
  const same = await get("a.txt", { headers: { "if-none-match": etag } });
  t.match(same, { status: 304, body: "", headers: { etag } });
  t.equal((await get("a.txt", { headers: { "if-modified-since": since } })).status, 304);
  t.equal((await get("a.txt", { headers: { "if-none-match": '"other"' } })).status, 200);
  t.equal((await get("a.txt", { headers: { "if-match": '"other"' } })).status, 412);
});

t.test("ranges", async (t) => {
  t.match(await get("a.txt", { headers: { range: "bytes=2-4" } }), {
    status: 206,
    body: "234",
    headers: { "content-range": "bytes 2-4/10", "content-length": "3" },
  });
  t.match(await get("a.txt", { headers: { range: "bytes=-2" } }), { status: 206, body: "89" });
  const beyond = await get("a.txt", { headers: { range: "bytes=50-" } });
  t.match(beyond, { status: 416, headers: { "content-range": "bytes */10" } });
  const stale = { range: "bytes=2-4", "if-range": '"other"' };
  t.match(await get("a.txt", { headers: stale }), { status: 200, body: "0123456789" });
});

t.test("what is no file", async (t) => {
  t.equal((await get("nothing")).status, 404);
  t.equal((await get("sub")).status, 404);
  t.equal((await get("a.txt", {}, { pathInfo: "/more" })).status, 404);
  t.equal((await get("a.txt/more")).status, 404);
  t.equal((await get("nothing", { method: "POST" })).status, 404);
});

t.test("sources of handlers and pages are never shown", async (t) => {
  for (const name of ["b.ts", "c.tsp~"]) {
    const reply = await get(name);
    t.equal(reply.status, 403, name);
    t.notMatch(reply.body, "secret");
  }
  for (const name of [
    "a.tsx",
    "a.mts",
    "a.cts",
    "a.TS",
    "a.ts.bak",
    "a.ts#1",
    "a.tsx~",
    "a.php",
    "a.PHP5~",
    "a.phtml",
  ]) {
    writeFileSync(join(folder, name), "secret");
    t.equal((await get(name)).status, 403, name);
  }
  writeFileSync(join(folder, "notes.tsv"), "open");
  t.equal((await get("notes.tsv")).status, 200);
});

t.test("methods", async (t) => {
  for (const method of ["POST", "PUT", "DELETE"]) {
    const reply = await get("a.txt", { method });
    t.match(reply, { status: 405, headers: { allow: "GET,HEAD,OPTIONS" } }, method);
  }
  t.match(await get("a.txt", { method: "OPTIONS" }), {
    status: 200,
    body: "",
    headers: { allow: "GET,HEAD,OPTIONS" },
  });
});

t.test("what is more than a file is Apache's, where it can be asked", async (t) => {
  const refuse = () => Promise.reject(new Error("not asked for"));
  const pass = async (req: object): Promise<void> => void (req as ApacheRequest).write("by Apache");
  const origin = { callsBack: true, pass, fetch: refuse, redirect: refuse };
  const asking = await startEngine(
    t,
    { declines: { handler: () => DECLINED } },
    { fallback: createStaticFile([]), toolkit: { temporary: "", origin } },
  );
  mkdirSync(join(folder, "site/.mod-ts"), { recursive: true });
  for (const name of ["page.php", "page.php~"]) writeFileSync(join(folder, "site", name), "secret");
  const body = async (name: string, ask: GatewayAsk = {}, pathInfo = "") => {
    const context = { filename: join(folder, name), pathInfo, contentType: "text/plain" };
    const reply = await asking.ask(["handler declines"], { ...ask, context });
    return reply.status === 200 ? reply.body : reply.status;
  };
  t.equal(await body("site"), "by Apache", "a listing");
  t.equal(await body("site/page.php"), "by Apache", "a program");
  t.equal(await body("site/page.php", { method: "POST" }), "by Apache");
  t.equal(await body("a.txt"), "0123456789", "a file is sent by this process");
  t.equal(await body("site", { method: "POST" }), 404, "nothing takes the body");
  t.equal(await body("site", {}, "/more"), 404, "no such resource");
  t.equal(await body("site/none.php"), 404);
  t.not(await body("site/.mod-ts"), "by Apache", "the run directory");
  t.equal(await body("site/page.php~"), 403, "a copy is no program");
});
