import t from "tap";
import { internals, type RedirectTarget } from "../../src/request/internals.ts";
import { fetchOrigin } from "../../src/request/origin.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { serve } from "../fixtures/exchange-server.ts";

const pass = async (): Promise<void> => {};

t.test("asks what the process lends, or says what is missing", async (t) => {
  const server = await serve(t, (req) => {
    if (req.headersIn.has("with")) {
      const origin = {
        callsBack: true,
        fetch: async () => new Response("there"),
        redirect: async () => {},
        pass: async () => {},
      };
      req[internals].toolkit = { temporary: "", origin };
    }
    return fetchOrigin(req);
  });
  t.equal((await server.ask("GET /\nWith: 1")).body, "there");
  t.equal((await server.ask("GET /")).body, "MODTS_ORIGIN_UNSET");
});

t.test("what is asked for", async (t) => {
  const asked: RedirectTarget[] = [];
  const redirect = async (_req: ApacheRequest, target: RedirectTarget): Promise<void> => {
    asked.push(target);
  };
  const server = await serve(t, async (req) => {
    const fetch = async (): Promise<Response> => new Response();
    req[internals].toolkit = { temporary: "", origin: { callsBack: true, fetch, redirect, pass } };
    req.write("is dropped");
    return req.internalRedirect("/b ü?x=%2F", req.uri === "/post" ? { method: "POST" } : {});
  });
  t.equal((await server.ask()).body, "");
  await server.ask("HEAD /");
  t.same(asked, [
    { path: "/b%20%C3%BC?x=%2F", method: "GET" },
    { path: "/b%20%C3%BC?x=%2F", method: "HEAD" },
  ]);
});

t.test("what handlers have begun is settled before", async (t) => {
  const trace: unknown[] = [];
  const redirect = async (): Promise<void> => void trace.push("redirect");
  const server = await serve(t, async (req) => {
    const fetch = async (): Promise<Response> => new Response();
    req[internals].toolkit = { temporary: "", origin: { callsBack: true, fetch, redirect, pass } };
    const settle = async (isGood: boolean): Promise<void> => void trace.push(isGood);
    req[internals].finalizer = { settle, close: () => {} };
    return req.internalRedirect("/b");
  });
  await server.ask();
  t.strictSame(trace.slice(0, 2), [true, "redirect"]);
});

t.test("mistakes", async (t) => {
  const server = await serve(t, (req) => req.internalRedirect(req.headersIn.get("to") ?? ""));
  for (const to of ["x", "//host/", "http://host/", "/a#b"]) {
    t.equal((await server.ask(`GET /\nTo: ${to}`)).body, "MODTS_BAD_ARGUMENT", to);
  }
  t.equal((await server.ask("GET /\nTo: /x")).body, "MODTS_ORIGIN_UNSET");
});
