/** Refusals tell the log why, and the client only while somebody debugs. */
import t from "tap";
import { logChannel } from "../../../src/base/channels.ts";
import { badParameters, refuse, requireMethod } from "../../../src/handlers/publisher/refuse.ts";
import { serve } from "../../fixtures/exchange-server.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { HeaderTable } from "../../../src/request/headers.ts";

t.test("why", async (t) => {
  const lines: unknown[] = [];
  const listen = (record: unknown): void => void lines.push(record);
  logChannel.subscribe(listen);
  t.teardown(() => logChannel.unsubscribe(listen));
  const plain = await serve(t, (req) => {
    throw refuse(req, 404, "there is no x");
  });
  t.match(await plain.ask(), { status: 404, body: "" });
  const debug = await serve(
    t,
    (req) => {
      throw refuse(req, 403, "it is private");
    },
    { debug: true },
  );
  t.match(await debug.ask(), { status: 403, body: "it is private\n" });
  t.match(lines, [
    { level: "info", message: "mod_ts/publisher: 404 for /a/b: there is no x" },
    { level: "info", message: "mod_ts/publisher: 403 for /a/b: it is private" },
  ]);
});

/** The status for a method, and what is allowed. */
function ask(method: string, own?: unknown): unknown {
  let allowed: readonly string[] = [];
  const req = { method, allowMethods: (list: readonly string[]) => (allowed = list) };
  try {
    requireMethod(req as unknown as ApacheRequest, own);
    return 200;
  } catch (error) {
    const { outcome, code } = error as { outcome?: number; code?: string };
    return code ?? [outcome, allowed.join()];
  }
}

t.test("GET, HEAD and POST, unless it says something else", async (t) => {
  for (const method of ["GET", "HEAD", "POST"]) t.equal(ask(method), 200, method);
  for (const method of ["PUT", "get", "OPTIONS"]) t.same(ask(method), [405, "GET,HEAD,POST"]);
  t.equal(ask("PUT", ["PUT"]), 200);
  t.same(ask("GET", ["PUT"]), [405, "PUT"]);
  t.equal(ask("HEAD", ["GET"]), 200);
  t.same(ask("HEAD", ["POST"]), [405, "POST"]);
  t.same(ask("GET", []), [405, ""]);
});

t.test("a list that is none is an error, not a permission", async (t) => {
  for (const own of ["GET", null, {}, [1]]) t.equal(ask("GET", own), "MODTS_BAD_ARGUMENT");
});

const asking = (accept: string): ApacheRequest =>
  ({ headersIn: new HeaderTable({ accept }) }) as unknown as ApacheRequest;
const problems = [
  { parameter: "a.0", message: "is wrong" },
  { parameter: "", message: "too few" },
];

t.test("as text, or as JSON to whoever accepts it", async (t) => {
  t.match(badParameters(asking("text/html"), problems), {
    outcome: 400,
    body: "a.0: is wrong\ntoo few\n",
    headers: { "Content-Type": "text/plain; charset=utf-8", Vary: "Accept" },
  });
  const json = badParameters(asking("text/html, application/json;q=0.5"), problems);
  t.match(json.headers, { "Content-Type": "application/json", Vary: "Accept" });
  t.same(JSON.parse(json.body ?? ""), { problems });
});

t.test("a list of a hundred is long enough", async (t) => {
  const many = Array.from({ length: 5000 }, () => ({ parameter: "a", message: "is wrong" }));
  t.equal(badParameters(asking(""), many).body?.split("\n").length, 101);
});
