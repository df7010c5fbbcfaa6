/** The recipes of docs/how-to/, written to files as they stand there, and used through Apache. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { fences, fileName } from "./fixtures/markdown.ts";
import { startDev } from "./fixtures/mod-ts.ts";
import { until } from "./fixtures/until.ts";

const recipes = ["json-api", "front-end", "live-page", "uploads", "background-jobs"];
const folder = mkdtempSync(join(tmpdir(), "mod-ts-how-to-"));
chmodSync(folder, 0o755);

const files = new Map<string, string>();
for (const recipe of recipes) {
  const page = join(import.meta.dirname, `../docs/how-to/${recipe}.md`);
  for (const fence of fences(readFileSync(page, "utf8"))) {
    const name = fileName(fence);
    if (name !== undefined) files.set(name, (files.get(name) ?? "") + fence.text);
  }
}
for (const [name, text] of files) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

mkdirSync(join(folder, "public/app/assets"), { recursive: true });
writeFileSync(join(folder, "public/app/index.html"), "<p>application</p>");
writeFileSync(join(folder, "public/app/assets/index-CjwvyOWn.js"), "run();");

const { url } = await startDev(t, folder);
const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, url), { redirect: "manual", ...init });

t.test("a front end built by Vite", async (t) => {
  for (const path of ["/app/", "/app/notes/7"]) {
    t.match(await (await ask(path)).text(), "<p>application</p>", path);
  }
  const script = await ask("/app/assets/index-CjwvyOWn.js");
  t.match(script.headers.get("cache-control"), /immutable/);
  const gone = await ask("/app/assets/index-gone1234.js");
  t.equal(gone.status, 404);
  t.notMatch(gone.headers.get("cache-control") ?? "", "immutable");
});

t.test("a JSON API beside a static site", async (t) => {
  t.match(await (await ask("/")).text(), '<ul id="notes">');
  const post = (body: string, type: string): Promise<Response> =>
    ask("/api/notes", { method: "POST", body, headers: { "content-type": type } });
  const made = await post('{"text":"Buy milk"}', "application/json");
  t.equal(made.status, 201);
  t.same(await made.json(), { id: 1, text: "Buy milk" });
  t.equal((await post('{"text":1}', "application/json")).status, 422);
  t.equal((await post('{"text":"x"}', "text/plain")).status, 415, "the form of another site");
  const refused = await ask("/api/notes", { method: "PUT", body: "x" });
  t.match(refused.headers.get("allow"), "POST");
  t.equal(refused.status, 405);
  t.same(await (await ask("/api/notes")).json(), [{ id: 1, text: "Buy milk" }]);
});

t.test("a live page", async (t) => {
  t.match(await (await ask("/load.html")).text(), 'new EventSource("/load")');
  const events = await ask("/load", { headers: { "accept-encoding": "gzip" } });
  t.match(events.headers.get("content-type"), "text/event-stream");
  t.equal(events.headers.get("content-encoding"), null);
  const reader = events.body!.getReader();
  for (let count = 0; count < 2; count += 1) {
    const { value } = await reader.read();
    t.match(Buffer.from(value ?? []).toString(), /^data: \{"load":[\d.]+\}\n\n/);
  }
  await reader.cancel();
});

t.test("uploads", async (t) => {
  t.match(await (await ask("/photos/")).text(), 'enctype="multipart/form-data"');
  const send = (name: string, bytes: number): Promise<Response> => {
    const body = new FormData();
    body.set("photo", new File([new Uint8Array(bytes)], name));
    return ask("/photos/", { method: "POST", body });
  };
  const sent = await send("Beach.JPG", 1000);
  t.equal(sent.status, 303);
  const photo = await ask(sent.headers.get("location") ?? "");
  t.equal(photo.headers.get("content-type"), "image/jpeg");
  t.equal(photo.headers.get("x-content-type-options"), "nosniff");
  t.equal((await photo.arrayBuffer()).byteLength, 1000);
  t.equal((await send("page.php", 10)).status, 415);
  t.equal((await send("large.png", 11_000_000)).status, 413);
  t.equal((await ask("/photos/..%2fnotes.db")).status, 404);
  t.equal((await ask("/photos/x.jpg")).status, 404);
});

t.test("background jobs", async (t) => {
  const subscribe = (address: string): Promise<Response> =>
    ask("/subscribe", { method: "POST", body: new URLSearchParams({ address }) });
  t.equal((await subscribe("nobody")).status, 422);
  t.equal((await subscribe("ann@example.com")).status, 202);
  const database = new DatabaseSync(join(folder, "queue.db"));
  database.exec("PRAGMA busy_timeout = 10000");
  t.teardown(() => database.close());
  const sent = database.prepare("SELECT address FROM mail WHERE sent > ''");
  t.match(await until(() => JSON.stringify(sent.all()), "@"), "ann@example.com");
});
