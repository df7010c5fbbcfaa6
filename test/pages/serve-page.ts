/** What `test/apache/pages-errors.ts` does not show: the outcomes that are no failures. */
import { join } from "node:path";
import t from "tap";
import { startWorker } from "../fixtures/gateway.ts";

const worker = await startWorker(t, {
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
  worker.ask(["handler mod_ts/pages"], {
    context: { filename: join(worker.folder, name), pathInfo: "" },
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
  t.match(worker.log(), /MODTS_ERROR_PAGE_FAILED: error page \S+missing\.tsp failed/);
});
