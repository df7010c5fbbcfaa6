import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import t, { type Test } from "tap";
import {
  checkResponse,
  copyResponse,
  relocate,
  toResponse,
} from "../../../src/handlers/origin/upstream-response.ts";
import { contextOf, serve } from "../../fixtures/exchange-server.ts";
import { answering, startRawServer } from "../../fixtures/origin.ts";
import type { Exchange } from "../../../src/request/exchange.ts";
import { ApacheRequest } from "../../../src/request/request.ts";
import type { ForeignOrigin } from "../../../src/handlers/origin/origin-options.ts";

async function fetchFrom(t: Test, ...lines: string[]): Promise<() => Promise<IncomingMessage>> {
  const origin = await startRawServer(t, answering("body", ...lines));
  return async () =>
    (await once(get(origin.url, { agent: false }), "response"))[0] as IncomingMessage;
}

t.test("headers of the origin, under those of handlers", async (t) => {
  const ask = await fetchFrom(
    t,
    "X-Both: origin",
    "X-Own: 1",
    "Set-Cookie: a",
    "Content-Type: a/b",
  );
  const server = await serve(t, async (req) => {
    req.headersOut.set("x-both", "handler");
    req.headersOut.add("Set-Cookie", "b");
    await copyResponse(req, await ask());
  });
  t.match(await server.ask(), {
    status: 200,
    body: "body",
    headers: {
      "x-both": "handler",
      "x-own": "1",
      "set-cookie": "b|a",
      "content-type": "a/b",
      "content-length": "4",
    },
  });
});

t.test("a type that a handler chose; no type where the origin has none", async (t) => {
  const ask = await fetchFrom(t, "Content-Type: a/b");
  const server = await serve(t, async (req) => {
    req.contentType = "text/x";
    await copyResponse(req, await ask());
  });
  t.equal((await server.ask()).headers["content-type"], "text/x");
  const bare = await fetchFrom(t);
  const other = await serve(t, async (req) => copyResponse(req, await bare()));
  t.equal((await other.ask()).headers["content-type"], undefined);
});

t.test("an answer that ends in the middle", async (t) => {
  const origin = await startRawServer(t, ({ socket }) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
  );
  const server = await serve(t, async (req) => {
    const [answer] = (await once(get(origin.url, { agent: false }), "response")) as [
      IncomingMessage,
    ];
    await copyResponse(req, answer);
  });
  await server.ask();
  t.match(server.errors, [{ code: "MODTS_ORIGIN_BROKEN" }]);
});

t.test("a Response: no length to copy, but one to send", async (t) => {
  const ask = await fetchFrom(t, "Set-Cookie: a", "Set-Cookie: b", "Keep-Alive: x");
  const response = toResponse(await ask());
  t.equal(response.headers.get("content-length"), null);
  t.equal(response.headers.get("keep-alive"), null);
  t.same(response.headers.getSetCookie(), ["a", "b"]);
  const server = await serve(t, async (req) => {
    if (req.uri !== "/x") return toResponse(await ask());
  });
  t.match(await server.ask(), { body: "body", headers: { "content-length": "4" } });
});

const root = btoa("/srv/htdocs");

/** The code of what is wrong, and whether the answer was given up. */
function judge(
  mark: string | undefined,
  { type = "text/plain", file = "/srv/htdocs/a.php", status = 200, isPass = true } = {},
): [string | undefined, boolean] {
  let destroyed = false;
  const answer = {
    statusCode: status,
    headers: { "content-type": type, ...(mark !== undefined && { "mod-ts-origin": mark }) },
    destroy: () => (destroyed = true),
  };
  const req = new ApacheRequest(contextOf({ filename: file }), {} as Exchange);
  try {
    checkResponse(answer as unknown as IncomingMessage, { req, origin: "Apache", isPass });
    return [undefined, destroyed];
  } catch (error) {
    return [(error as { code: string }).code, destroyed];
  }
}

t.test("only what Apache has marked", async (t) => {
  t.same(judge(`1;${root};application/x-httpd-php`), [undefined, false]);
  for (const mark of [undefined, "", "1", `2;${root};x`, `1;${root};a, 1;${root};b`]) {
    t.same(judge(mark), ["MODTS_ORIGIN_REFUSED", true], String(mark));
  }
  t.same(judge(`1;${btoa("/srv/other")};x`), ["MODTS_ORIGIN_REFUSED", true]);
});

t.test("no program as its source", async (t) => {
  t.same(judge(`1;${root};`), ["MODTS_ORIGIN_HIDDEN", true]);
  t.same(judge(`1;${root};text/plain`, { type: "text/plain; charset=utf-8" }), [
    "MODTS_ORIGIN_HIDDEN",
    true,
  ]);
  t.same(judge(`1;${root};application/x-httpd-php`, { type: "text/html" }), [undefined, false]);
  const hidden = ["MODTS_ORIGIN_HIDDEN", true];
  t.same(judge(`1;${root};default-handler`, { type: "" }), hidden);
  t.same(judge(`1;${root};text/x-python`, { type: "text/plain" }), hidden, "a type set later");
  const several = { type: "multipart/byteranges; boundary=x", status: 206 };
  for (const handler of ["", "text/plain", "application/x-httpd-php"]) {
    t.same(judge(`1;${root};${handler}`, several), hidden, handler);
  }
  t.same(judge(`1;${root};text/plain`, { status: 206 }), hidden);
  t.same(judge(`1;${root};application/x-httpd-php`, { status: 206 }), [undefined, false]);
  t.same(judge(`1;${root};proxy:unix:/run/php.sock|fcgi://x`), [undefined, false]);
  t.same(judge(`1;${root};cgi-script`, several), [undefined, false], "a program may answer so");
  t.same(judge(`1;${root};`, { file: "/srv/htdocs/a.txt" }), [undefined, false]);
  t.same(judge(`1;${root};`, { status: 404 }), [undefined, false]);
  const [page, program] = ["/srv/a.html", "/srv/index.php"].map(btoa);
  t.same(judge(`1;${root};${page};text/plain`), [undefined, false], "redirected to a page");
  t.same(judge(`1;${root};${program};text/plain`, { file: "/srv/" }), hidden, "to a program");
  t.same(judge(`1;${root};`, { isPass: false }), [undefined, false]);
});

const origin: ForeignOrigin = {
  name: "",
  target: { protocol: "http:", hostname: "app.example", port: "8080" },
  base: "/base",
  strip: "/app",
  preserveHost: false,
};

const moved = (address: string, change: Partial<ForeignOrigin> = {}): string | undefined => {
  const answer = { rawHeaders: ["X", address, "LOCATION", address] } as unknown as IncomingMessage;
  relocate(answer, { ...origin, ...change });
  return answer.rawHeaders[1] === address ? answer.rawHeaders[3] : undefined;
};

t.test("what leads to the other server leads here", async (t) => {
  t.equal(moved("http://app.example:8080/base/x?y#z"), "/app/x?y#z");
  t.equal(moved("http://APP.example:8080/base"), "/app/");
  t.equal(moved("http://app.example:8080/x", { base: "", strip: "" }), "/x");
});

t.test("a path is never taken for a host", async (t) => {
  for (const path of ["//evil.example/x", "/\\evil.example/x", "///evil.example/x"]) {
    const here = moved(`http://app.example:8080${path}`, { base: "", strip: "" }) ?? "";
    t.equal(new URL(here, "http://www.example.org/a").host, "www.example.org", path);
    t.match(new URL(here, "http://www.example.org/a").pathname, /^\/\/+evil\.example\/x$/);
  }
  t.equal(moved("http://app.example:8080/base//evil.example"), "/app//evil.example");
});

t.test("anything else stays", async (t) => {
  const others = [
    "/base/x",
    "x",
    "http://app.example/base/x",
    "https://app.example:8080/base/x",
    "http://other.example/base/x",
    "http://app.example:8080/based",
    "//app.example:8080/base",
    "::",
  ];
  for (const address of others) t.equal(moved(address), address);
});
