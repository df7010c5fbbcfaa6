import { join } from "node:path";
import t from "tap";
import { startWorker } from "../../fixtures/gateway.ts";

const worker = await startWorker(t, {
  "render.ts": `
    import { Page, type ApacheRequest } from "mod-ts";
    export const handler = async (req: ApacheRequest) => {
      const text = await new Page(req, "sub/page.tsp", { who: "<me>" }).render();
      req.contentType = "text/plain";
      req.write(text + text);
    };`,
  "run.ts": `
    import { Page, type ApacheRequest } from "mod-ts";
    export const handler = (req: ApacheRequest) => new Page(req, req.args!, { who: 1 }).run();`,
  "url.ts": `
    import { Page, type ApacheRequest } from "mod-ts";
    export const handler = (req: ApacheRequest) =>
      new Page(req, new URL("./sub/page.tsp", import.meta.url)).run();`,
  "sub/page.tsp":
    '<%@ page contentType="text/x-page" errorPage="oops.tsp" %>hello <%= vars.who.toString() %>\n',
  "sub/oops.tsp": "oops <%= exception?.message %>",
});

t.test("render() gives text, and leaves the response alone", async (t) => {
  const reply = await worker.ask(["handler render.ts"]);
  t.match(reply, { status: 200, headers: { "content-type": "text/plain" } });
  t.equal(reply.body, "hello &lt;me&gt;\nhello &lt;me&gt;\n");
});

t.test("run() answers with the type of the page", async (t) => {
  const names = [
    "sub/page.tsp",
    `${worker.folder}/sub/page.tsp`,
    `file://${worker.folder}/sub/page.tsp`,
  ];
  for (const args of names) {
    const reply = await worker.ask(["handler run.ts"], { context: { args } });
    t.match(reply, { status: 200, body: "hello 1\n", headers: { "content-type": "text/x-page" } });
  }
});

t.test("run() shows the error page", async (t) => {
  const reply = await worker.ask(["handler url.ts"]);
  t.equal(reply.status, 500);
  t.match(reply.body, /^oops Cannot read properties of undefined/);
  t.match(worker.log(), /MODTS_PAGE_FAILED: \S+page\.tsp failed; error page \S+oops\.tsp is sent/);
});

t.test("what is no page, or lies elsewhere", async (t) => {
  for (const [args, log] of [
    ["run.ts", /MODTS_BAD_ARGUMENT: invalid argument for run\.ts: not a page/],
    ["none.tsp", /MODTS_HANDLER_NOT_FOUND/],
    ["../x.tsp", /MODTS_OUTSIDE_ROOTS/],
    ["/etc/x.tsp", /MODTS_OUTSIDE_ROOTS/],
  ] as const) {
    t.equal((await worker.ask(["handler run.ts"], { context: { args } })).status, 500, args);
    t.match(worker.log(), log);
  }
});

const site = await startWorker(t, {
  "plain.tsp": "plain",
  "own.tsp": '<% req.contentType = "text/x-own"; req.status = 201; %>own',
  "gone.tsp": '<%@ page errorPage="oops.tsp" %><% page.redirect("/there", { permanent: true }); %>',
  "client.tsp": '<%@ page errorPage="oops.tsp" %><% form; %>',
  "fails.tsp": '<%@ page errorPage="leaves.tsp" %><% throw new Error("first"); %>',
  "leaves.tsp": '<% page.redirect("/login"); %>',
  "none.tsp": '<%@ page errorPage="missing.tsp" %><% throw new Error("first"); %>',
  "oops.tsp": "oops",
});

const ask = (name: string, headers: Record<string, string> = {}, body?: string) =>
  site.ask(["handler mod_ts/pages"], {
    context: { filename: join(site.folder, name), pathInfo: "" },
    headers,
    ...(body !== undefined && { method: "POST", body }),
  });

t.test("the type is HTML unless the page says otherwise; its status counts", async (t) => {
  t.match(await ask("plain.tsp"), {
    status: 200,
    body: "plain",
    headers: { "content-type": "text/html; charset=utf-8", "content-length": "5" },
  });
  t.match(await ask("own.tsp"), { status: 201, headers: { "content-type": "text/x-own" } });
});

t.test("an outcome is no failure, and what the client did wrong is none either", async (t) => {
  t.match(await ask("gone.tsp"), { status: 301, headers: { location: "/there" } });
  const wrong = await ask("client.tsp", { "content-type": "a/b" }, "x");
  t.equal(wrong.status, 415);
  t.not(wrong.body, "oops");
});

t.test("an error page may end otherwise, or be missing", async (t) => {
  t.match(await ask("fails.tsp"), { status: 302, headers: { location: "/login" } });
  t.equal((await ask("none.tsp")).status, 500);
  t.match(site.log(), /MODTS_ERROR_PAGE_FAILED: error page \S+missing\.tsp failed/);
});
