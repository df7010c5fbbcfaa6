import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import t from "tap";
import { parseDirectives } from "../../src/engine/directives.ts";
import { type Convention, readQuestion } from "../../src/gateway/question.ts";
import type { RequestContext } from "../../src/request/exchange.ts";

const directives = parseDirectives(["option a b"]);

function read(
  convention: Convention,
  rawHeaders: string[],
  rest = "",
  method = "GET",
): RequestContext {
  const message = new IncomingMessage(new Socket());
  message.rawHeaders = rawHeaders;
  message.method = method;
  return readQuestion(message, rest, { convention, directives, interpreter: "main" });
}

const forwarded = [
  "X-Forwarded-Method",
  "POST",
  "X-Forwarded-Proto",
  "https",
  "X-Forwarded-Host",
  "a.example",
  "X-Forwarded-Uri",
  "/x/../b%20c?d=1",
  "X-Forwarded-For",
  "6.6.6.6, 192.0.2.7",
];
const original = [
  "X-Original-Method",
  "GET",
  "X-Original-URL",
  "http://a.example:81/b?c",
  "X-Real-IP",
  "192.0.2.7",
];
const envoy = ["Host", "a.example", "X-Forwarded-Proto", "http", "X-Forwarded-For", "192.0.2.7"];

const change = (list: string[], name: string, value?: string): string[] => {
  const at = list.indexOf(name);
  const rest = list.toSpliced(at, 2);
  return value === undefined ? rest : [...rest, name, value];
};

t.test("Traefik, Caddy", async (t) => {
  t.match(read("forwarded", ["Cookie", "a=1", "Host", "sidecar", ...forwarded]), {
    method: "POST",
    scheme: "https",
    serverName: "a.example",
    serverPort: 443,
    target: "/x/../b%20c?d=1",
    requestLine: "POST /x/../b%20c?d=1 HTTP/1.1",
    uri: "/b c",
    args: "d=1",
    remoteAddress: "192.0.2.7",
    rawHeaders: ["Host", "a.example", "Cookie", "a=1"],
    options: { a: "b" },
    user: "",
    interpreter: "main",
  });
});

t.test("nginx", async (t) => {
  t.match(read("original", original), {
    method: "GET",
    scheme: "http",
    serverName: "a.example",
    serverPort: 81,
    uri: "/b",
    args: "c",
    remoteAddress: "192.0.2.7",
  });
  t.match(read("original", change(original, "X-Original-URL", "http://a.example")), { uri: "/" });
  t.match(read("original", change(original, "X-Original-URL", "http://a.example/x/../%61?q")), {
    uri: "/a",
  });
});

t.test("Envoy", async (t) => {
  t.match(read("path", envoy, "/b?c", "PUT"), {
    method: "PUT",
    uri: "/b",
    args: "c",
    serverName: "a.example",
  });
  t.match(read("path", envoy, ""), { uri: "/" });
});

t.test("only the headers of the convention count", async (t) => {
  const both = [...forwarded, ...original];
  t.match(read("forwarded", both), { uri: "/b c", method: "POST" });
  t.match(read("original", both), { uri: "/b", method: "GET" });
  t.match(read("path", ["Host", "b.example", ...both], "/p"), {
    uri: "/p",
    serverName: "b.example",
  });
});

t.test("what is missing, comes twice or is nonsense is refused", async (t) => {
  for (const [convention, list] of [
    ["forwarded", forwarded],
    ["original", original],
    ["path", envoy],
  ] as const) {
    for (const name of list.filter((_, at) => at % 2 === 0)) {
      t.throws(
        () => read(convention, change(list, name), "/b"),
        { code: "MODTS_CONTEXT_MISSING" },
        name,
      );
      t.throws(() => read(convention, change(list, name, ""), "/b"), {
        code: "MODTS_CONTEXT_MISSING",
      });
      const twice = [...list, name.toLowerCase(), list[list.indexOf(name) + 1] as string];
      t.throws(
        () => read(convention, twice, "/b"),
        { code: "MODTS_CONTEXT_INVALID" },
        `${name} twice`,
      );
    }
  }
  for (const [name, value] of [
    ["X-Forwarded-Method", "GET /"],
    ["X-Forwarded-Proto", "ftp"],
    ["X-Forwarded-Host", "a.example/x"],
    ["X-Forwarded-Host", "a.example, b.example"],
    ["X-Forwarded-Host", "user@a.example"],
  ] as const) {
    t.throws(() => read("forwarded", change(forwarded, name, value)), {
      code: "MODTS_CONTEXT_INVALID",
      status: 403,
    });
  }
  t.match(read("forwarded", change(forwarded, "X-Forwarded-Proto", "wss")), { scheme: "https" });
});

t.test("a path that two servers may read differently is refused", async (t) => {
  const ask = (target: string): RequestContext => read("path", envoy, target);
  for (const target of [
    "/a%2F..%2Fb",
    "/a%2f../b",
    "/a/..%2fb",
    "/a/%2e%2e%2Fb",
    "/a%5C..%5Cb",
    "/a\\..\\b",
    "/a/..\\b",
    "/a%2F.%2Fb",
    "/a%00",
    "/a%",
    "/a%zz",
    "*",
    "b",
    "http://x/",
    "/a b",
    "/a\tb",
    "/a\nb",
    "/a/..;/b",
    "/a/..;x=1/..;x=1/b",
    "/a/%2e%2e;/b",
    "/a/..%3B/b",
    "/a/.;/b",
  ]) {
    t.throws(() => ask(target), { code: "MODTS_BAD_URL", status: 400 }, target);
  }
  for (const [target, uri] of [
    ["/a%2Fb", "/a/b"],
    ["/a/../b", "/b"],
    ["//a//%2e%2e/b", "/b"],
    ["/a?..%2F..", "/a"],
    ["/a#/../b", "/a"],
    ["/a;..;/b", "/a;..;/b"],
  ] as const) {
    t.equal(ask(target).uri, uri, target);
  }
});

t.test("headers of the client, without those that speak of something else", async (t) => {
  const { rawHeaders } = read("forwarded", [
    "Connection",
    "close",
    "Content-Length",
    "0",
    "Forwarded",
    "for=1",
    "X-Forwarded-Server",
    "s",
    "Upgrade",
    "x",
    "Mod-Ts-Secret",
    "s",
    "X-Original-URL",
    "u",
    "X-Real-IP",
    "i",
    "Authorization",
    "Bearer t",
    "X-Own",
    "1",
    ...forwarded,
  ]);
  t.strictSame(rawHeaders, ["Host", "a.example", "Authorization", "Bearer t", "X-Own", "1"]);
});
