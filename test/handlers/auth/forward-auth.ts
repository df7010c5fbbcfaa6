/** `mod_ts/forward-auth` behind the real gateway and engine, in front of a service that answers anything. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createForwardAuth } from "../../../src/handlers/auth/forward-auth.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import {
  type AuthService,
  type ServiceReply,
  startAuthService,
} from "../../fixtures/auth-service.ts";
import { type GatewayAsk, type GatewayReply, startEngine } from "../../fixtures/gateway.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const modules = {
  "forward-auth": createForwardAuth(),
  app: {
    handler(req: ApacheRequest): number {
      req.contentType = "application/json";
      req.write(JSON.stringify({ user: req.user, ...req.notes.toJSON(), env: req.subprocessEnv }));
      return 0;
    },
  },
};
const ann: ServiceReply = {
  status: 200,
  headers: { "Remote-User": "ann", "Remote-Groups": "admins, staff", "Remote-Email": "ann@x" },
};
const browser = { accept: "text/html,*/*;q=0.8" };

interface Peer {
  service: AuthService;
  ask(ask?: GatewayAsk, more?: readonly string[], phases?: string): Promise<GatewayReply>;
  log(): string;
}

async function start(t: Test, reply: ServiceReply = ann): Promise<Peer> {
  const service = await startAuthService(t, () => reply);
  const engine = await startEngine(t, modules);
  return {
    service,
    log: () => engine.log(),
    ask: (ask = {}, more = [], phases = "authen") => {
      const lines = phases.split(" ").map((phase) => `${phase} mod_ts/forward-auth`);
      const url = `option mod_ts.forward-auth.url ${service.url}`;
      return engine.ask([...lines, "handler mod_ts/app", url, ...more], ask);
    },
  };
}

const option = (key: string, value: string): string => `option mod_ts.forward-auth.${key} ${value}`;

t.test("allow: user, groups, and the rest by name", async (t) => {
  const { ask, service } = await start(t);
  const reply = await ask();
  t.equal(reply.status, 200);
  t.match(JSON.parse(reply.body), {
    user: "ann",
    groups: "admins,staff",
    email: "ann@x",
    env: { REMOTE_GROUPS: "admins,staff", REMOTE_EMAIL: "ann@x" },
  });
  await Promise.all([1, 2, 3].map(() => ask()));
  await ask();
  t.ok(service.connections() < service.asked.length, "connections are kept");
});

t.test("presets", async (t) => {
  for (const [preset, user, groups, sent] of [
    ["authelia", "Remote-User", "Remote-Groups", "a,b"],
    ["oauth2-proxy", "X-Auth-Request-User", "X-Auth-Request-Groups", "a,b"],
    ["authentik", "X-authentik-username", "X-authentik-groups", "a|b"],
    ["vouch", "X-Vouch-User", "X-Vouch-IdP-Claims-Groups", '"a","b"'],
    ["tinyauth", "Remote-User", "Remote-Groups", "a,b"],
    ["traefik", "X-Forwarded-User", "X-Forwarded-Groups", "a,b"],
    ["traefik-forward-auth", "X-Forwarded-User", "X-Forwarded-Groups", "a,b"],
    ["lemonldap", "Auth-User", "Auth-Groups", "a; b"],
    ["tailscale", "Tailscale-User", "Tailscale-Tailnet", "a,b"],
  ] as const) {
    const { ask, service } = await start(t, {
      status: 202,
      headers: { [user]: "bob", [groups]: sent },
    });
    const reply = await ask({}, [option("preset", preset)]);
    t.match(JSON.parse(reply.body), { user: "bob", groups: "a,b" }, preset);
    service.decide = () => ({ status: 200, headers: { "X-Other-User": "eve" } });
    t.equal((await ask({}, [option("preset", preset)])).status, 500, "no user is no pass");
  }
});

t.test("own names", async (t) => {
  const { ask } = await start(t, { status: 200, headers: { "X-Who": "josé", "X-Tenant": "7" } });
  const names = [option("user", "X-Who"), option("headers", "X-Tenant=TENANT X-No=NONE")];
  t.match(JSON.parse((await ask({}, names)).body), {
    user: "josé",
    tenant: "7",
    env: { TENANT: "7" },
  });
});

t.test("a header sent twice is one user; the first of several headers counts", async (t) => {
  const twice = { "Auth-User": ["dwho", "dwho"], "Auth-Groups": ["a; b c", "a; b c"] };
  const { ask, service } = await start(t, { status: 200, headers: twice });
  const lemonldap = option("preset", "lemonldap");
  t.match(JSON.parse((await ask({}, [lemonldap])).body), { user: "dwho", groups: "a,b c" });
  const users = option("user", "X-Auth-Request-Email X-Auth-Request-User");
  for (const [headers, user] of [
    [{ "X-Auth-Request-User": "7" }, "7"],
    [{ "X-Auth-Request-User": "7", "X-Auth-Request-Email": "ann@x" }, "ann@x"],
  ] as const) {
    service.decide = () => ({ status: 200, headers });
    t.match(JSON.parse((await ask({}, [users])).body), { user });
  }
});

t.test("group separators", async (t) => {
  const { ask, service } = await start(t);
  for (const [separator, sent, groups] of [
    ["|", "a, x|b", "b"],
    ["space", "a  b", "a,b"],
    ["quoted", '"staff","dev team"', "staff,dev team"],
    [";", "a;b;a", "a,b"],
  ] as const) {
    service.decide = () => ({ status: 200, headers: { ...ann.headers, "Remote-Groups": sent } });
    const reply = await ask({}, [option("groups_separator", separator)]);
    t.equal(JSON.parse(reply.body).groups, groups, separator);
  }
});

t.test("groups whose names contain spaces", async (t) => {
  const { ask } = await start(t, {
    status: 200,
    headers: { "Remote-User": "ann", "Remote-Groups": "dev team,Domain Admins" },
  });
  for (const [groups, status] of [
    ["'dev team'", 200],
    ['"dev team" wheel', 200],
    ["wheel, dev team", 200],
    ["dev team", 403],
    ["team, dev", 403],
    ["'dev team", 403],
  ] as const) {
    const reply = await ask({}, [option("groups", groups)], "authen authz");
    t.equal(reply.status, status, groups);
  }
});

t.test(
  "a service on a Unix socket; Host, scheme and connection as the service needs them",
  async (t) => {
    const { ask, service } = await start(t, {
      ...ann,
      headers: { ...ann.headers, "X-Vouch-User": "a" },
    });
    const path = join(shortFolder(t), "s");
    const heard: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      heard.push(request);
      response.writeHead(204, { "Tailscale-User": "ann@x", "Tailscale-Tailnet": "x.ts.net" }).end();
    });
    server.listen(path);
    t.teardown(() => (server.closeAllConnections(), server.close()));
    await once(server, "listening");
    for (const url of [`unix:${path}:/check?x=1`, `unix:${path}`]) {
      const reply = await ask({ context: { remoteAddress: "100.64.0.9", remotePort: "4711" } }, [
        option("url", url),
        option("preset", "tailscale"),
      ]);
      t.match(JSON.parse(reply.body), { user: "ann@x", groups: "x.ts.net", email: "ann@x" });
    }
    t.strictSame(
      heard.map(({ url }) => url),
      ["/check?x=1", "/"],
    );
    t.match(heard[0]?.headers, { "remote-addr": "100.64.0.9", "remote-port": "4711" });

    const headers = { host: "app.corp.test" };
    await ask({ headers }, [option("preset", "vouch")]);
    t.match(service.last(), {
      host: "app.corp.test",
      "x-real-ip": service.last()["x-forwarded-for"],
    });
    await ask({ headers }, [option("ask_host", "auth.corp.test"), option("scheme", "https")]);
    t.match(service.last(), {
      host: "auth.corp.test",
      "x-forwarded-host": "app.corp.test",
      "x-forwarded-proto": "https",
      "x-original-url": /^https:/,
      "remote-addr": undefined,
    });
  },
);

t.test("pages are private, even without a user", async (t) => {
  const { ask, service } = await start(t);
  t.equal((await ask()).headers["cache-control"], "private");
  service.decide = () => ({ status: 204 });
  t.equal((await ask({}, [], "access")).headers["cache-control"], "private");
});

t.test("a form is not repeated at the login service", async (t) => {
  const headers = { Location: "https://login.example/" };
  const { ask, service } = await start(t);
  for (const status of [301, 302, 307, 308]) {
    service.decide = () => ({ status, headers });
    t.equal((await ask({ headers: browser })).status, status);
    t.equal((await ask({ headers: browser, method: "POST", body: "secret=1" })).status, 303);
  }
});

t.test("a 401 that names the login page, as for nginx", async (t) => {
  const location = "https://login.example/?rm=GET";
  const { ask, service } = await start(t, { status: 401, headers: { Location: location } });
  t.match(await ask({ headers: browser }), { status: 302, headers: { location } });
  t.match(await ask({}), { status: 401, headers: { location } });
  const challenge = { Location: location, "WWW-Authenticate": "Basic" };
  service.decide = () => ({ status: 401, headers: challenge });
  t.match(await ask({ headers: browser }), { status: 401 }, "wrong Basic credentials");
});

t.test("what does not fit through Apache", async (t) => {
  const { ask, service } = await start(t);
  service.decide = () => ({ status: 302, headers: { Location: `https://a/?${"x".repeat(9000)}` } });
  t.equal((await ask({ headers: browser })).status, 414);
  const page = { "Content-Type": "text/html" };
  service.decide = () => ({ status: 403, headers: page, body: "<p>".repeat(3000) });
  const reply = await ask({ headers: browser });
  t.match(reply, { status: 403, headers: { "content-type": /^text\/plain/ }, body: /9000/ });
});

t.test("what the service is told comes from Apache", async (t) => {
  const { ask, service } = await start(t);
  const context = {
    requestLine: "GET /public/..//%61dmin?x=1 HTTP/1.1",
    uri: "/admin",
    args: "x=1",
    scheme: "https",
    remoteAddress: "192.0.2.9",
  };
  const forged = {
    "Remote-User": "root",
    "Remote-Groups": "wheel",
    "X-Forwarded-User": "root",
    "X-Forwarded-Uri": "/public",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Method": "OPTIONS",
    "X-Original-URL": "http://evil.example/",
    "X-Auth-Request-Redirect": "http://evil.example/",
    Forwarded: "for=127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-HTTP-Method-Override": "OPTIONS",
    Host: "app.example",
    Cookie: "session=1",
    Authorization: "Bearer t",
    "X-Requested-With": "XMLHttpRequest",
    Accept: "text/html",
  };
  await ask({ context, headers: forged });
  const told = service.last();
  t.match(told, {
    "x-forwarded-method": "GET",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "app.example",
    "x-forwarded-uri": "/admin?x=1",
    "x-forwarded-for": "192.0.2.9",
    "x-original-url": "https://app.example/admin?x=1",
    "x-original-method": "GET",
    cookie: "session=1",
    authorization: "Bearer t",
    "x-requested-with": "XMLHttpRequest",
    accept: "text/html",
  });
  t.match(service.asked[0], { method: "GET", url: "/check" });
  t.notMatch(JSON.stringify(told), /root|wheel|evil|127\.0\.0\.1(?!:)|OPTIONS/);
  await ask({ headers: forged }, [option("host", "pinned.example")]);
  t.equal(service.last()["x-forwarded-host"], "pinned.example");
  t.match(service.last(), { host: /^127\.0\.0\.1:\d+$/, "x-real-ip": /./ });
});

t.test("identity headers of the client name nobody", async (t) => {
  const { ask } = await start(t, { status: 200, headers: { "Remote-User": "ann" } });
  const headers = { "remote-user": "root", "Remote-Groups": "admins", Remote_Groups: "admins" };
  const { user, groups, env } = JSON.parse((await ask({ headers })).body);
  t.strictSame([user, groups, env.REMOTE_GROUPS], ["ann", undefined, undefined]);
});

t.test("deny: what the service says, to whom it makes sense", async (t) => {
  const { ask, service } = await start(t);
  service.decide = () => ({
    status: 302,
    headers: {
      Location: "https://login.example/?rd=x",
      "Set-Cookie": ["a=1", "b=2"],
      "X-Internal": "1",
    },
    body: "<a>login</a>",
  });
  const page = await ask({ headers: browser });
  t.match(page, {
    status: 302,
    headers: { location: "https://login.example/?rd=x", "set-cookie": ["a=1", "b=2"] },
  });
  t.notOk(page.headers["x-internal"]);
  for (const headers of [
    { accept: "text/html", "x-requested-with": "XMLHttpRequest" },
    { accept: "text/html", "sec-fetch-mode": "cors" },
    { accept: "application/json" },
    {},
  ]) {
    const reply = await ask({ headers });
    t.match(reply, { status: 401, headers: { "set-cookie": ["a=1", "b=2"] } });
    t.notMatch(reply.headers["www-authenticate"], /basic/i, "no password dialog");
  }
});

t.test("deny: statuses, with body and headers", async (t) => {
  const { ask, service } = await start(t);
  for (const status of [400, 401, 403, 404, 429]) {
    service.decide = () => ({
      status,
      headers: {
        "Content-Type": "application/json",
        "Retry-After": "5",
        "WWW-Authenticate": "Bearer",
        "Remote-User": "ann",
      },
      body: '{"no":1}',
    });
    t.match(await ask(), {
      status,
      body: '{"no":1}',
      headers: {
        "content-type": "application/json",
        "retry-after": "5",
        "www-authenticate": "Bearer",
      },
    });
  }
  service.decide = () => ({ status: 401 });
  t.match(await ask(), { status: 401, headers: { "www-authenticate": "Cookie" } });
  service.decide = () => ({ status: 403, headers: { "Content-Encoding": "br" }, body: "\x01" });
  t.match(await ask(), { status: 403, body: /not allowed/ });
});

t.test("a 401 becomes the login page of services that have no redirect of their own", async (t) => {
  const { ask } = await start(t, { status: 401, headers: { "Set-Cookie": "a=1" } });
  const login = [option("login", "https://vouch.example/login?url=")];
  t.match(await ask({ headers: { ...browser, host: "app.example" } }, login), {
    status: 302,
    headers: {
      location: "https://vouch.example/login?url=http%3A%2F%2Fapp.example%2Fa%2Fb%3Fx%3D1",
      "set-cookie": ["a=1"],
    },
  });
  t.match(await ask({ headers: browser, method: "POST" }, login), { status: 303 });
  t.match(await ask({}, login), { status: 401 });
});

t.test("everything else is no pass", async (t) => {
  const { ask, service, log } = await start(t);
  for (const [reply, status] of [
    [{ status: 500, headers: ann.headers! }, 502],
    [{ status: 503, headers: ann.headers! }, 502],
    [{ status: 302, headers: ann.headers! }, 502],
    [{ status: 304, headers: ann.headers! }, 502],
    [{ status: 600, headers: ann.headers! }, 502],
    [{ status: 200, headers: { "Remote-User": ["ann", "root"] } }, 502],
    [{ status: 200, headers: { "Remote-User": "" } }, 500],
    [{ ...ann, body: "x".repeat(70_000) }, 502],
    [{ ...ann, silent: true }, 503],
  ] as [ServiceReply, number][]) {
    service.decide = () => reply;
    const answer = await ask({ headers: browser }, [option("timeout", "200")]);
    t.equal(answer.status, status, JSON.stringify(reply).slice(0, 60));
    t.notMatch(answer.body, /"user"/);
  }
  await service.close();
  t.equal((await ask()).status, 503);
  t.match(
    log(),
    /MODTS_AUTH_SERVICE_DOWN: authentication service http:\/\/127\.0\.0\.1:\d+\/check is unavailable: nothing within 200 ms/,
  );
  t.match(log(), /MODTS_AUTH_SERVICE_ANSWER/);
});

t.test("access: a pass without a user", async (t) => {
  const { ask, service } = await start(t, { status: 204 });
  const reply = await ask({}, [], "access");
  t.match(JSON.parse(reply.body), { user: null });
  service.decide = () => ({ status: 403 });
  t.equal((await ask({}, [], "access")).status, 403);
});

t.test("authz: one of the groups", async (t) => {
  const { ask, service } = await start(t);
  t.equal((await ask({}, [option("groups", "staff wheel")], "authen authz")).status, 200);
  t.equal((await ask({}, [option("groups", "staf")], "authen authz")).status, 403);
  t.equal((await ask({}, [], "authen authz")).status, 500, "which groups?");
  service.decide = () => ({ status: 200, headers: { "Remote-User": "bob" } });
  t.equal((await ask({}, [option("groups", "staff")], "authen authz")).status, 403);
});

t.test("mistakes in the configuration let nobody pass", async (t) => {
  const { ask, service, log } = await start(t);
  for (const [key, value] of [
    ["url", "nonsense"],
    ["url", "file:///etc/passwd"],
    ["url", ""],
    ["timeout", "0"],
    ["timeout", "60000"],
    ["preset", "toString"],
    ["headers", "X-Tenant"],
    ["scheme", "ftp"],
    ["url", "unix:run/x.sock"],
    ["login", "https://a.example/login"],
    ["usre", "X-User"],
  ] as const) {
    const reply = await ask({}, [option(key, value)]);
    t.equal(reply.status, 500, `${key} ${value}`);
    t.match(log(), `MODTS_BAD_OPTION: invalid option mod_ts.forward-auth.${key}: `);
  }
  t.equal(service.asked.length, 0);
});
