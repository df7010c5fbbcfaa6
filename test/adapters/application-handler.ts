import t from "tap";
import { createApplicationHandler } from "../../src/adapters/application-handler.ts";
import { HttpError } from "../../src/http-error.ts";
import { DECLINED } from "../../src/outcome.ts";
import { ApacheRequest, internals } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const module = { exports: {}, file: "/srv/a.ts", generation: 1 };

function requestFor(options: Record<string, string>): ApacheRequest {
  const req = new ApacheRequest(contextOf({ options }), {} as never);
  req[internals].modules = { load: () => module };
  return req;
}

t.test("options, URL, module and name of a call", async (t) => {
  const handler = createApplicationHandler("kind", (call) => call);
  const req = requestFor({ "mod_ts.kind.application": "a.ts::b", "mod_ts.kind.base": "/a" });
  t.match(await handler(req), {
    req,
    module,
    base: "/a",
    reference: { path: ["b"] },
    url: { base: "/a", rest: "/b?x=1", whole: "/a/b?x=1" },
    name: "mod_ts/kind a.ts::b",
  });
  const elsewhere = { "mod_ts.kind.application": "a.ts", "mod_ts.kind.base": "/b" };
  t.equal(await handler(requestFor(elsewhere)), DECLINED);
  await t.rejects(handler(requestFor({})), { code: "MODTS_BAD_OPTION" });
});

t.test("what a stranger throws gets the application's name", async (t) => {
  const throwing = (error: Error) =>
    createApplicationHandler("kind", () => {
      throw error;
    })(requestFor({ "mod_ts.kind.application": "a.ts" }));
  await t.rejects(throwing(new Error("boom")), {
    code: "MODTS_HANDLER_FAILED",
    message: "mod_ts/kind a.ts failed in phase handler",
  });
  await t.rejects(throwing(new HttpError(410)), { name: "HttpError", outcome: 410 });
});
