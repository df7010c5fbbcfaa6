/** Methods that a function takes. */
import t from "tap";
import { requireMethod } from "../../src/publisher/methods.ts";
import type { ApacheRequest } from "../../src/request/request.ts";

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
