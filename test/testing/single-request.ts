/** Requests without Apache: what a handler sees, and what comes back. */
import { readdirSync } from "node:fs";
import { text as readText } from "node:stream/consumers";
import t from "tap";
import { resolveConfig } from "../../src/config/config.ts";
import { serveSingleRequest, type SingleRequest } from "../../src/testing/single-request.ts";
import { createParts } from "../../src/worker.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const folder = t.testdir({
  "echo.ts": `
    export async function handler(req) {
      req.contentType = "text/plain";
      const { colour } = req.getOptions();
      req.write([req.method, req.uri, req.args, req.headersIn.get("x-a"), colour, req.user].join(" "));
    }
    export async function body(req) {
      return new Response((await req.text()).toUpperCase(), { status: 201 });
    }
    export async function form(req) {
      const form = await req.form();
      return Response.json([form.text("x"), form.file("f").filename, await form.file("f").text()]);
    }
    export function broken() { throw new Error("secret detail"); }
    export function accessHandler(req) { return req.user === "ann" ? 0 : 403; }`,
  "page.tsp": "<p><%= 1 + 1 %></p>",
  pub: { "sums.ts": "export const add = (a: string, b: string) => Number(a) + Number(b);" },
  cgi: { "env.ts": 'console.log("Content-Type: text/plain\\n\\n" + process.env["PATH_INFO"]);' },
});
const runFolder = shortFolder(t);
const config = resolveConfig(
  { run: runFolder, reload: { watch: false } },
  `${folder}/mod-ts.config.ts`,
);
const parts = await createParts({ config, pool: "main", generation: 1 });
t.teardown(() => parts.close());

async function run(more: Partial<SingleRequest>): Promise<{ status: number; text: string }> {
  const { response, ended } = serveSingleRequest(parts, config, {
    handlers: { handler: "echo.ts" },
    method: "GET",
    url: new URL("http://localhost/a%20b?x=1"),
    headers: [],
    options: [],
    user: "",
    debug: false,
    ...more,
  });
  const { status, body } = await response;
  const text = await readText(body);
  await ended;
  return { status, text };
}

t.test("what the handler sees", async (t) => {
  const { status, text } = await run({
    headers: ["X-A", "yes"],
    options: [["colour", "red"]],
    user: "ann",
  });
  t.equal(status, 200);
  t.equal(text, "GET /a b x=1 yes red ann");
});

t.test("a body", async (t) => {
  const reply = await run({
    handlers: { handler: "echo.ts::body" },
    method: "POST",
    headers: ["Content-Length", "3"],
    body: Buffer.from("abc"),
  });
  t.same(reply, { status: 201, text: "ABC" });
});

t.test("a form with a file, which is gone afterwards", async (t) => {
  const part = 'Content-Disposition: form-data; name="f"; filename="a.txt"';
  const { text } = await run({
    handlers: { handler: "echo.ts::form" },
    method: "POST",
    headers: ["Content-Type", "multipart/form-data; boundary=X"],
    body: Buffer.from(`--X\r\n${part}\r\n\r\ntext\r\n--X--\r\n`),
  });
  t.equal(text, '["1","a.txt","text"]');
  t.strictSame(readdirSync(`${runFolder}/tmp`), []);
});

t.test("failures", async (t) => {
  const handlers = { handler: "echo.ts::broken" };
  const failed = await run({ handlers });
  t.equal(failed.status, 500);
  t.notMatch(failed.text, /secret detail/);
  t.match((await run({ handlers, debug: true })).text, /secret detail/);
  t.equal((await run({ handlers: { handler: "missing.ts" } })).status, 500);
});

t.test("access control alone", async (t) => {
  const handlers = { access: "echo.ts" };
  t.same(await run({ handlers, user: "ann" }), { status: 200, text: "" });
  t.equal((await run({ handlers, user: "bob" })).status, 403);
  t.match(await run({ handlers: { ...handlers, handler: "echo.ts" }, user: "bob" }), {
    status: 403,
  });
});

t.test("pages, published functions and CGI scripts are found as by Apache", async (t) => {
  t.equal((await run({ handlers: { handler: "page.tsp" } })).text, "<p>2</p>");
  const at = (path: string): URL => new URL(path, "http://localhost");
  const sum = { handlers: { handler: "mod_ts/publisher" }, url: at("/pub/sums.ts/add?a=1&b=2") };
  t.match(await run(sum), { status: 200, text: /^3/ });
  const script = { handlers: { handler: "mod_ts/cgi" }, url: at("/cgi/env.ts/more/path") };
  t.match(await run(script), { status: 200, text: "/more/path" });
});
