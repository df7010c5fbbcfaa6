/** The endpoint for other servers behind the real gateway, as Traefik, Caddy and Envoy ask it. nginx has a test of its own. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { createAuthEndpoints } from "../../src/gateway/auth-endpoint.ts";
import { startWorker } from "../fixtures/gateway.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const secret = "0123456789abcdef";
const peer = await startWorker(
  t,
  {
    "auth.ts": `
      import { HttpError, OK, DONE, type ApacheRequest } from "mod-ts";
      export function authenHandler(req: ApacheRequest) {
        const what = req.headersIn.get("x-what") ?? "";
        if (what === "page") { req.write("a page"); return DONE; }
        if (what === "created") { req.status = 201; req.write("a page"); return 201; }
        if (what === "throw") throw new Error("policy");
        if (what === "nothing") return undefined as never;
        if (what === "login") throw new HttpError(302, { headers: { location: "/login", "set-cookie": ["a=1", "b=2"] } });
        if (what === "body") return req.text().then(() => OK);
        if (what === "json") throw new HttpError(403, { body: "{}", headers: { "content-type": "application/json" } });
        if (what === "odd") req.subprocessEnv.set("X", "a\\r\\nRemote-User: root");
        if (req.uri.startsWith("/secret")) return 403;
        if (!req.headersIn.has("cookie")) return 401;
        req.user = "josé";
        req.subprocessEnv.set("REMOTE_GROUPS", "staff");
        req.subprocessEnv.set("TENANT_ID", "7");
        req.errHeadersOut.add("Set-Cookie", "a=1");
        req.errHeadersOut.add("Set-Cookie", "b=2");
        req.headersOut.set("Remote-User", "root");
        req.headersOut.set("X-Facts", [req.method, req.uri, req.args, req.useragentIp, req.hostname, req.getOptions().k, req.isHttps()].join(" "));
        return OK;
      }
      export const accessHandler = () => OK;
    `,
  },
  {
    secret,
    auth: {
      traefik: { convention: "forwarded", authen: "auth.ts", options: { k: "v w" } },
      envoy: { convention: "path", authen: "auth.ts" },
      nginx: { convention: "original", authen: "auth.ts" },
      open: { convention: "forwarded", access: "auth.ts" },
      missing: { convention: "forwarded", authen: "none.ts" },
    },
  },
);

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

type Headers = Record<string, string | string[]>;

function send(path: string, headers: Headers, method = "GET"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      port: peer.port,
      path,
      method,
      headers,
      agent: false,
    });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body,
        }),
      );
    });
    outgoing.end();
  });
}

const known = { "Mod-Ts-Secret": secret };
const forwarded = {
  ...known,
  "X-Forwarded-Method": "GET",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "a.example",
  "X-Forwarded-Uri": "/page?x=1",
  "X-Forwarded-For": "192.0.2.7",
};
const ask = (headers: Headers = {}, name = "traefik"): Promise<Reply> =>
  send(`/.mod-ts/auth/${name}`, { ...forwarded, ...headers });
const cookie = { Cookie: "s=1" };

t.test("allow: 200, the user, variables, cookies; what the handler saw", async (t) => {
  const { status, headers, body } = await ask(cookie);
  t.equal(status, 200);
  t.equal(body, "");
  t.equal(Buffer.from(headers["remote-user"] as string, "latin1").toString(), "josé");
  t.match(headers, {
    "remote-groups": "staff",
    "remote-name": "",
    "remote-email": "",
    "x-tenant-id": "7",
    "set-cookie": ["a=1", "b=2"],
    "x-facts": "GET /page x=1 192.0.2.7 a.example v w true",
  });
});

t.test("an identity header is always there, and there once", async (t) => {
  const { rawHeaders } = await ask({ "Remote-User": "root", "Remote-Groups": "wheel" }, "open");
  const identity = rawHeaders.filter((_, at) => /^remote-/i.test(rawHeaders[at & ~1] ?? ""));
  t.strictSame(identity, [
    "Remote-User",
    "",
    "Remote-Groups",
    "",
    "Remote-Name",
    "",
    "Remote-Email",
    "",
  ]);
  const named = (await ask(cookie)).rawHeaders.filter((name) => /^remote-user$/i.test(name));
  t.equal(named.length, 1);
});

t.test("deny: what the handler says", async (t) => {
  t.match(await ask(), { status: 401, headers: { "www-authenticate": /^Basic/ } });
  t.match(await ask({ ...cookie, "X-Forwarded-Uri": "/x/..//%73ecret/a" }), { status: 403 });
  t.match(await ask({ "X-What": "login" }), {
    status: 302,
    headers: { location: "/login", "set-cookie": ["a=1", "b=2"] },
  });
  t.match(await ask({ "X-What": "json" }), {
    status: 403,
    body: "{}",
    headers: { "content-type": "application/json" },
  });
});

t.test("nginx knows no redirect: 401 with Location", async (t) => {
  const original = {
    ...known,
    "X-Original-Method": "GET",
    "X-Original-URL": "http://a.example/",
    "X-Real-IP": "192.0.2.7",
  };
  const { status, headers } = await send("/.mod-ts/auth/nginx", { ...original, "X-What": "login" });
  t.match(
    { status, headers },
    { status: 401, headers: { location: "/login", "set-cookie": ["a=1", "b=2"] } },
  );
});

t.test("Envoy: the path behind the name", async (t) => {
  const envoy = {
    ...known,
    ...cookie,
    Host: "b.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "192.0.2.8",
  };
  const reply = await send("/.mod-ts/auth/envoy/page?y=2", envoy, "PUT");
  t.match(reply, {
    status: 200,
    headers: { "x-facts": "PUT /page y=2 192.0.2.8 b.example  false" },
  });
  t.match(await send("/.mod-ts/auth/envoy/secret/a", envoy), { status: 403 });
  t.match(await send("/.mod-ts/auth/envoy/x/../secret/a", envoy), { status: 403 });
  t.match(await send("/.mod-ts/auth/envoy/x%2F..%2Fsecret/a", envoy), { status: 400 });
});

t.test("never a permission by accident", async (t) => {
  for (const [what, status] of [
    ["page", 403],
    ["created", 403],
    ["throw", 500],
    ["nothing", 500],
    ["body", 500],
    ["odd", 500],
  ] as const) {
    const reply = await ask({ ...cookie, "X-What": what });
    t.equal(reply.status, status, what);
    t.notOk(reply.headers["remote-user"], what);
  }
  t.match(await ask(cookie, "missing"), { status: 500 });
  t.match(await ask(cookie, "none"), { status: 403 });
  t.match(await ask(cookie, ""), { status: 403 });
  t.match(await ask(cookie, "__proto__"), { status: 403 });
  t.match(peer.log(), /there is no auth endpoint "none"/);
});

t.test("only whoever knows the secret is answered", async (t) => {
  for (const given of [
    "",
    "x",
    `${secret}0`,
    secret.toUpperCase(),
    [secret, secret],
    [secret, "x"],
  ]) {
    const reply = await ask({ ...cookie, "Mod-Ts-Secret": given });
    t.equal(reply.status, 403, JSON.stringify(given));
    t.notOk(reply.headers["remote-user"]);
  }
  const { "Mod-Ts-Secret": _, ...without } = forwarded;
  t.match(await send("/.mod-ts/auth/traefik", { ...without, ...cookie }), { status: 403 });
  t.match(
    await ask({ ...cookie, "Mod-Ts-Context": "1;x" }),
    { status: 403 },
    "Apache asks otherwise",
  );
});

t.test("a request that is incomplete or odd is refused", async (t) => {
  for (const name of Object.keys(forwarded).filter((key) => key.startsWith("X-"))) {
    const { [name as "X-Forwarded-Uri"]: _, ...rest } = forwarded;
    t.match(await send("/.mod-ts/auth/traefik", { ...rest, ...cookie }), { status: 403 }, name);
  }
  t.match(await ask({ ...cookie, "X-Forwarded-Uri": "/a%" }), { status: 400 });
});

t.test("a WebSocket handshake is a question, and not accepted here", async (t) => {
  const handshake = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  t.match(await ask({ ...cookie, ...handshake, "X-Forwarded-Proto": "wss" }), { status: 200 });
  t.match(await ask(handshake), { status: 401 });
});

/** The lines of a question that is allowed. */
const sent = [
  ...Object.entries({ ...forwarded, ...cookie }).map(([name, value]) => `${name}: ${value}`),
  "Connection: close",
];
const instead = (name: string, ...lines: string[]): string[] => [
  ...sent.filter((line) => !line.startsWith(`${name}:`)),
  ...lines,
];
const line = "GET /.mod-ts/auth/traefik HTTP/1.1";
const door = "/.mod-ts/auth/traefik";

/** What is sent, and the statuses of all responses to it. */
const odd: [lines: string[], statuses: string, body?: string][] = [
  [[line, ...sent], "200"],
  [[line, ...sent, "Content-Length: 5"], "200", "hello"],
  // Another question in the body, and behind it.
  [[line, ...sent, "Content-Length: 40"], "200", "GET /.mod-ts/auth/open HTTP/1.1\r\nHost: x\r"],
  [[line, ...instead("Connection")], "200 403", `${line}\r\nHost: x\r\nConnection: close\r\n\r\n`],
  // Two framings.
  [[line, ...sent, "Content-Length: 5", "Transfer-Encoding: chunked"], "400", "0\r\n\r\n"],
  [[line, ...sent, "Content-Length: 5", "Content-Length: 6"], "400", "hello"],
  [[line, ...sent, "Transfer-Encoding : chunked"], "400"],
  // The secret where it is none.
  [
    [line, ...instead("Mod-Ts-Secret", "Transfer-Encoding: chunked")],
    "403",
    `0\r\nMod-Ts-Secret: ${secret}\r\n\r\n`,
  ],
  [[line, ...instead("Mod-Ts-Secret", `Mod_Ts_Secret: ${secret}`)], "403"],
  [[line, ...instead("Mod-Ts-Secret", `X: ${secret}`, " Mod-Ts-Secret: x")], "400"],
  [[line, ...instead("Mod-Ts-Secret", `Mod-Ts-Secret: ${secret},${secret}`)], "403"],
  [[line, ...instead("Mod-Ts-Secret", `Mod-Ts-Secret: Basic ${secret}`)], "403"],
  [[`GET ${door}?Mod-Ts-Secret=${secret} HTTP/1.1`, ...instead("Mod-Ts-Secret")], "403"],
  // Other endpoints by other spellings of the name.
  [["GET /.mod-ts/auth/TRAEFIK HTTP/1.1", ...sent], "403"],
  [["GET /.mod-ts/auth/%74raefik HTTP/1.1", ...sent], "403"],
  [["GET /.mod-ts/auth/constructor HTTP/1.1", ...sent], "403"],
  [["GET /.mod-ts/auth/../auth/traefik HTTP/1.1", ...sent], "403"],
  [["GET //.mod-ts/auth/traefik HTTP/1.1", ...sent], "403"],
  [["GET /.MOD-TS/auth/traefik HTTP/1.1", ...sent], "403"],
  [[`GET http://a.example${door} HTTP/1.1`, ...sent], "403"],
  [["CONNECT a.example:443 HTTP/1.1", ...sent], ""],
  // Another address than that which is served.
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: http://a.example/page")], "400"],
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: /x/..;/secret/a")], "400"],
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: /%2e%2e/%2E/secret")], "403"],
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: /secret?/../page")], "403"],
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: /page", "X_Forwarded_Uri: /x")], "200"],
  [[line, ...instead("X-Forwarded-Uri", "X-Forwarded-Uri: /page", "x-forwarded-uri: /x")], "403"],
  [[line, ...instead("X-Forwarded-Method", "X-Forwarded-Method: GET, POST")], "403"],
  [[line, ...instead("X-Forwarded-Proto", "X-Forwarded-Proto: https, http")], "403"],
  [[line, ...instead("X-Forwarded-Host", "X-Forwarded-Host: a.example:0x50")], "403"],
  [[line, ...instead("X-Forwarded-Host", "X-Forwarded-Host: [::1")], "403"],
  // Nobody's address.
  [[line, ...instead("X-Forwarded-For", "X-Forwarded-For: 192.0.2.7,")], "403"],
  [[line, ...instead("X-Forwarded-For", "X-Forwarded-For: ,")], "403"],
];

t.test("odd questions, byte by byte", async (t) => {
  for (const [lines, statuses, body = ""] of odd) {
    const client = new RawClient(peer.port).head(...lines).send(body);
    const answers = (await client.closed).matchAll(/^HTTP\/1\.1 (\d+) /gm);
    t.equal([...answers].map(([, status]) => status).join(" "), statuses, lines.join(" | ") + body);
  }
});

t.test("a decision that takes too long is 503, and a late OK changes nothing", async (t) => {
  const late = Promise.withResolvers<boolean>();
  const answer = createAuthEndpoints({
    engine: {
      run: () => late.promise,
      upgrade: () => late.promise,
      authorize: () => late.promise,
    } as never,
    interpreter: "main",
    secret,
    bodyBytes: 0,
    budget: 50,
    auth: { a: { convention: "path", access: "a.ts" } },
  });
  const server = createServer((message, reply) => void answer(message, reply)).listen(
    0,
    "127.0.0.1",
  );
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const headers = {
    "Mod-Ts-Secret": secret,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "192.0.2.7",
  };
  const reply = await fetch(`http://127.0.0.1:${port}/.mod-ts/auth/a/x`, { headers });
  t.equal(reply.status, 503);
  late.resolve(true);
  await late.promise;
  t.equal(reply.headers.get("remote-user"), null);
  await reply.text();
});

t.test("without a secret there are no endpoints", async (t) => {
  await t.rejects(
    startWorker(t, {}, { auth: { a: { convention: "path", access: "a.ts" } } }),
    /auth\.a: it needs secret or secretFile/,
  );
  await t.rejects(
    startWorker(t, {}, { secret, auth: { a: { convention: "path" } } }),
    /name access, authen or authz/,
  );
});
