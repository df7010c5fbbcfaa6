/** The sections of docs/how-to/login-services.md, as they stand there, before services that answer as the real ones do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startAuthService, type ServiceReply } from "../fixtures/auth-service.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { startApache } from "../fixtures/httpd.ts";
import { fences, sections } from "../fixtures/markdown.ts";
import { until } from "../fixtures/until.ts";

interface Service {
  /** To a request without a session. */
  stranger: ServiceReply;
  /** To one of Ann. */
  known: ServiceReply;
  /** Where her browser is sent before, without the URL of the page. */
  login: string;
  user: string;
}

const redirect = (status: number, Location: string): ServiceReply => ({
  status,
  headers: { Location },
});

const services: Record<string, Service> = {
  Authelia: {
    stranger: redirect(302, "https://auth.example.com/?rd=page&rm=GET"),
    known: { status: 200, headers: { "Remote-User": "ann", "Remote-Groups": "staff,admins" } },
    login: "https://auth.example.com/?rd=",
    user: "ann",
  },
  authentik: {
    stranger: redirect(302, "https://app.example.com/outpost.goauthentik.io/start?rd=page"),
    known: {
      status: 200,
      headers: { "X-authentik-username": "ann", "X-authentik-groups": "staff|admins" },
    },
    login: "https://app.example.com/outpost.goauthentik.io/start?rd=",
    user: "ann",
  },
  "oauth2-proxy": {
    stranger: { status: 401, body: "Unauthorized" },
    known: {
      status: 202,
      headers: { "X-Auth-Request-User": "4711", "X-Auth-Request-Email": "ann@example.com" },
    },
    login: "https://oauth2-proxy.example.com/oauth2/start?rd=",
    user: "ann@example.com",
  },
  tinyauth: {
    stranger: redirect(307, "https://auth.example.com/login?redirect_uri=page"),
    known: { status: 200, headers: { "Remote-User": "ann", "Remote-Email": "ann@example.com" } },
    login: "https://auth.example.com/login?redirect_uri=",
    user: "ann",
  },
  "vouch-proxy": {
    stranger: { status: 401, headers: { "X-Vouch-Error": "no jwt found in request" } },
    known: {
      status: 200,
      headers: { "X-Vouch-User": "ann@example.com", "X-Vouch-Success": "true" },
    },
    login: "https://auth.example.com/login?url=",
    user: "ann@example.com",
  },
  "LemonLDAP::NG": {
    stranger: redirect(302, "https://auth.example.com/?url=cGFnZQ=="),
    // Each header twice, as llng-server.psgi sends them.
    known: {
      status: 200,
      headers: { "Auth-User": ["ann", "ann"], "Auth-Groups": ["staff; admins", "staff; admins"] },
    },
    login: "https://auth.example.com/?url=",
    user: "ann",
  },
};

/** Each section gets a host of its own, so that one Apache has all of them. */
const hostOf = (name: string): string =>
  `${name.toLowerCase().replaceAll(/[^\w-]/g, "")}.example.com`;

const service = await startAuthService(t, (headers) => {
  if (headers["x-forwarded-uri"] === undefined)
    return { status: 200, body: "a page of the service" };
  const named = Object.entries(services).find(
    ([name]) => headers["x-forwarded-host"] === hostOf(name),
  );
  if (!named) return { status: 400 };
  return headers.cookie?.includes("session=ann") ? named[1].known : named[1].stranger;
});
const echo = await startHeaderEcho(t);
const page = readFileSync(join(import.meta.dirname, "../../docs/how-to/login-services.md"), "utf8");
const here = (text: string): string =>
  text
    .replaceAll("*:443", "*")
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${echo}`)
    .replaceAll(/127\.0\.0\.1:(?:9091|9000|4180|3000|9090|9001)\b/g, new URL(service.url).host);
const virtualHosts = [...sections(page, 2)].flatMap(([name, text]) =>
  fences(text)
    .filter(({ info, text: lines }) => info === "apache" && lines.startsWith("<VirtualHost"))
    .map((fence) => here(fence.text).replaceAll("app.example.com", hostOf(name))),
);
const apache = await startApache(t, {
  authorizer: true,
  conf: `Header always set X-User "expr=%{REMOTE_USER}"\n${virtualHosts.join("")}`,
  files: { "htdocs/a.txt": "SECRET FILE\n" },
});
await until(apache.sidecarLog, /\bready\b/);

const ask = (host: string, path: string, headers: Record<string, string> = {}) =>
  apache.request(path, { headers: { host, ...headers } });
const browser = { accept: "text/html" };
const ann = { cookie: "session=ann" };

t.equal(virtualHosts.length, 1 + Object.keys(services).length);

for (const [name, { login, user }] of Object.entries(services)) {
  t.test(name, async (t) => {
    const host = hostOf(name);
    const sent = await ask(host, "/a.txt?x=1", browser);
    t.ok([302, 303, 307].includes(sent.status), `${sent.status}`);
    t.ok(sent.headers.location?.startsWith(login), String(sent.headers.location));
    t.notMatch(sent.body, "SECRET");
    const forged = { "remote-user": "ann", "x-auth-request-email": "ann", "x-vouch-user": "ann" };
    const script = await ask(host, "/a.txt", { "x-requested-with": "XMLHttpRequest", ...forged });
    t.equal(script.status, 401);
    t.notMatch(script.body, "SECRET");
    t.match(await ask(host, "/a.txt", ann), {
      status: 200,
      body: "SECRET FILE\n",
      headers: { "x-user": user },
    });
  });
}

t.test("pages of the service itself are open, and learn the real host", async (t) => {
  for (const [host, path] of [
    ["auth.example.com", "/login"],
    [hostOf("authentik"), "/outpost.goauthentik.io/sign_out"],
    [hostOf("oauth2-proxy"), "/oauth2/sign_out"],
  ] as const) {
    const reply = await ask(host, path, { "x-forwarded-host": "evil.example" });
    t.equal(reply.body, "a page of the service", path);
    t.match(service.last(), { host, "x-forwarded-host": host, "x-forwarded-proto": "http" });
  }
});

t.test("an application learns the user, and never what the client claims", async (t) => {
  const { body } = await ask(hostOf("Authelia"), "/wiki/", { ...ann, "remote-user": "root" });
  const headers = JSON.parse(body) as string[];
  const named = headers.filter((_text, index) => headers[index - 1] === "remote-user");
  t.same(named, ["ann"]);
});
