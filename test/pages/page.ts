import t from "tap";
import { startWorker } from "../fixtures/gateway.ts";

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
  t.match(worker.log(), /MODTS_PAGE_FAILED: \S+page\.tsp failed; \S+oops\.tsp is shown/);
});

t.test("what is no page, or lies elsewhere", async (t) => {
  for (const [args, log] of [
    ["run.ts", /MODTS_BAD_ARGUMENT: run\.ts: it is no page/],
    ["none.tsp", /MODTS_HANDLER_NOT_FOUND/],
    ["../x.tsp", /MODTS_OUTSIDE_ROOTS/],
    ["/etc/x.tsp", /MODTS_OUTSIDE_ROOTS/],
  ] as const) {
    t.equal((await worker.ask(["handler run.ts"], { context: { args } })).status, 500, args);
    t.match(worker.log(), log);
  }
});
