import { readdirSync } from "node:fs";
import { Writable } from "node:stream";
import t from "tap";
import { runOnce, type OneRequest } from "../../src/commands/run-once.ts";
import { resolveConfig } from "../../src/config.ts";

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
    export function broken() { throw new Error("secret detail"); }`,
});

async function run(more: Partial<OneRequest>): Promise<{ status: number; text: string }> {
  let text = "";
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const config = resolveConfig(
    { run: "run", reload: { watch: false } },
    `${folder}/mod-ts.config.ts`,
  );
  const request: OneRequest = {
    handler: "echo.ts",
    method: "GET",
    url: new URL("http://localhost/a%20b?x=1"),
    headers: [],
    options: [],
    user: "",
    debug: false,
    ...more,
  };
  return { status: await runOnce(config, request, output), text };
}

t.test("what the handler sees", async (t) => {
  const { status, text } = await run({
    headers: ["X-A", "yes"],
    options: ["colour red"],
    user: "ann",
  });
  t.equal(status, 200);
  t.match(text, /^HTTP\/1\.1 200 OK\n[^]*\n\nGET \/a b x=1 yes red ann$/);
});

t.test("a body", async (t) => {
  const { status, text } = await run({
    handler: "echo.ts::body",
    method: "POST",
    headers: ["Content-Length", "3"],
    body: Buffer.from("abc"),
  });
  t.equal(status, 201);
  t.match(text, /\n\nABC$/);
});

t.test("a form with a file, which is gone afterwards", async (t) => {
  const part = 'Content-Disposition: form-data; name="f"; filename="a.txt"';
  const { text } = await run({
    handler: "echo.ts::form",
    method: "POST",
    headers: ["Content-Type", "multipart/form-data; boundary=X"],
    body: Buffer.from(`--X\r\n${part}\r\n\r\ntext\r\n--X--\r\n`),
  });
  t.match(text, /\["1","a\.txt","text"\]$/);
  t.strictSame(readdirSync(`${folder}/run/tmp`), []);
});

t.test("failures", async (t) => {
  const failed = await run({ handler: "echo.ts::broken" });
  t.equal(failed.status, 500);
  t.notMatch(failed.text, /secret detail/);
  t.match((await run({ handler: "echo.ts::broken", debug: true })).text, /secret detail/);
  t.equal((await run({ handler: "missing.ts" })).status, 500);
});
