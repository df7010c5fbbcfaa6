/**
 * A client can never be somebody else: whatever it sends, a CGI script (which stands for PHP as well) and an application behind
 * `ProxyPass` see what the handlers said, and the handlers see what Apache said.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { logSince } from "../fixtures/log-since.ts";
import { killSidecar } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const port = await startHeaderEcho(t);
const secret = "0123456789abcdef";
const script = handlerFile("env.sh");
const guard =
  "AuthType mod_ts\nUse TsAuthenHandler auth.ts\nUse TsOption password hunter2\nUse TsOption mod_ts.x y";

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid"],
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    MergeTrailers On
    ProxyPass "/app" "http://127.0.0.1:${port}"
    <Location "/">\n${guard}\nUse TsTypeHandler auth.ts\nRequire valid-user\n</Location>
    <LocationMatch "^/(cgi|open|none|errors)">\nOptions +ExecCGI\nSetHandler cgi-script\n</LocationMatch>
    <Location "/app">\nUse TsIdentityHeaders\n</Location>
    <Location "/app/plain">\nRequire all granted\n</Location>
    ProxyPass "/named" "http://127.0.0.1:${port}"
    <Location "/named">
      Use TsIdentityHeader X WEBAUTH USER REMOTE_USER
      Use TsIdentityHeader X Web Groups REMOTE_GROUPS
    </Location>
    <Location "/named/plain">\nRequire all granted\n</Location>
    <Location "/open">\nRequire all granted\n</Location>
    <Location "/none">\nUse TsNoHandler\nRequire all granted\nSetHandler cgi-script\n</Location>
    <Location "/errors">\nRequire all granted\n</Location>
    <Location "/denied">\nErrorDocument 403 /errors/env.sh\n</Location>`,
  files: {
    "htdocs/cgi/env.sh": script,
    "htdocs/open/env.sh": script,
    "htdocs/none/env.sh": script,
    "htdocs/errors/env.sh": script,
    "htdocs/denied/a.txt": "SECRET FILE\n",
    "htdocs/a.txt": "SECRET FILE\n",
  },
  handlers: {
    "auth.ts": handlerFile("auth-identity-auth.ts"),
  },
});
for (const name of ["cgi", "open", "none", "errors"]) {
  chmodSync(join(apache.folder, "htdocs", name, "env.sh"), 0o755);
}

await until(apache.sidecarLog, /\bready\b/);

/** Headers of ours, variables of ours, and names that applications and Apache take for the user. */
const names = [
  "Mod-Ts-Context",
  "Mod-Ts-Config",
  "Mod-Ts-Env",
  "Mod-Ts-Type",
  ...[
    "User",
    "Notes",
    "Content-Type",
    "Secret",
    "Options",
    "Access",
    "Authen",
    "Version",
    "Filename",
    "Uri",
  ].map((name) => `Mod-Ts-${name}`),
  "Mod-Ts-Path-Info",
  "Mod-Ts-Backend",
  "Mod-Ts-Debug",
  "Remote-User",
  "Remote-Groups",
  "Remote-Name",
  "Remote-Email",
  "Remote-Passwd",
  "Auth-Type",
  "Redirect-Remote-User",
  "Redirect-Mod-Ts-User",
  "Variable-Remote-User",
  "Variable-Mod-Ts-User",
  "Http-Remote-User",
  "Fcgi-Role",
  "Fcgi-Apache-Role",
  "Script-Filename",
  "Facts",
];

/** What the client may write for a name. */
const spellings: Record<string, (name: string) => string> = {
  "as it is": (name) => name,
  "lower case": (name) => name.toLowerCase(),
  "upper case": (name) => name.toUpperCase(),
  "with _": (name) => name.replaceAll("-", "_"),
  "with _, upper case": (name) => name.replaceAll("-", "_").toUpperCase(),
  "with .": (name) => name.replaceAll("-", "."),
  mixed: (name) => name.replace("-", "_"),
  ...Object.fromEntries(
    [..."!#$%&'*+^`|~"].map((sign) => [`with ${sign}`, (name) => name.replaceAll("-", () => sign)]),
  ),
};

const evil = "evil-1";
const all = (spell: (name: string) => string): string[] =>
  names.map((name) => `${spell(name)}: ${evil}`);

/** Ways to send headers. */
const attacks: Record<string, string[]> = {
  ...Object.fromEntries(Object.entries(spellings).map(([name, spell]) => [name, all(spell)])),
  twice: [...all((name) => name), ...all((name) => name.toLowerCase())],
  "hop-by-hop": [...all((name) => name), `Connection: ${names.join(", ")}`],
  "hop-by-hop, one in another": ["Connection: Remoremote-userte-User, Remotremote.groupse-Groups"],
  "hop-by-hop with _": [`Connection: ${names.map((name) => name.replaceAll("-", "_")).join(",")}`],
};

async function send(path: string, headers: readonly string[]): Promise<string> {
  const request = [`GET ${path} HTTP/1.1`, "Host: localhost", ...headers, "Connection: close"];
  const response = await apache.raw(`${request.join("\r\n")}\r\n\r\n`);
  // A chunk may end within a line.
  return response.replaceAll(/(?<!\r\n)\r\n[0-9a-f]+\r\n/g, "");
}

/** The same in trailers, which `MergeTrailers On` makes headers once the body has been read. */
async function sendTrailers(path: string, trailers: readonly string[]): Promise<string> {
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: localhost",
    "Transfer-Encoding: chunked",
    "Connection: close",
  ];
  const request = [...head, "", "1", "a", "0", ...trailers, "", ""].join("\r\n");
  // A script that ends before it has read its body can make httpd close without a response.
  for (let tries = 0; tries < 4; tries += 1) {
    const response = await apache.raw(request);
    if (response !== "") return response;
  }
  return "";
}

/** Variables of a script that the client got hold of; its own headers are its own. */
function forged(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.includes(evil) && !/^(?:(?:REDIRECT_)*HTTP_|[\w-]+: )/.test(line));
}

/** Headers of ours that the client got through to a script. */
function ours(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => /^HTTP_MOD_TS_(?:CONTEXT|CONFIG|ENV)=/.test(line));
}

t.test("the attacks arrive at all", async (t) => {
  t.match(
    await send(
      "/cgi/env.sh",
      all((name) => name),
    ),
    /^HTTP_REMOTE_USER=evil-1$/m,
  );
  t.match(await send("/app/plain", ["X-Remote-User: evil-1"]), '"x-remote-user","evil-1"');
});

for (const [attack, headers] of Object.entries(attacks)) {
  t.test(`headers ${attack}`, async (t) => {
    const cgi = await send("/cgi/env.sh", headers);
    t.match(cgi, /^HTTP\/1.1 200 /);
    t.match(cgi, /^REMOTE_USER=ann$/m);
    t.match(cgi, /^REMOTE_GROUPS=staff$/m);
    t.match(cgi, /^FACTS=.* \/cgi\/env\.sh .*"password":"hunter2"/m);
    t.strictSame(forged(cgi), []);
    t.strictSame(ours(cgi), []);
    t.notMatch(
      cgi.replaceAll(/^(?:REDIRECT_)?FACTS=.*$/gm, ""),
      /hunter2|0123456789abcdef/,
      "neither options nor secret",
    );

    for (const path of ["/open/env.sh", "/none/env.sh"]) {
      const open = await send(path, headers);
      t.match(open, /^HTTP\/1.1 200 /, path);
      t.notMatch(open, /^(?:REMOTE_USER|REMOTE_GROUPS|AUTH_TYPE)=/m, `${path}: nobody`);
      t.strictSame([...forged(open), ...ours(open)], [], path);
      t.notMatch(open, /hunter2|0123456789abcdef/, path);
    }

    const denied = await send("/denied/a.txt", headers);
    t.match(denied, /^HTTP\/1.1 403 /);
    t.match(denied, /^REDIRECT_STATUS=403$/m, "the ErrorDocument is a script");
    t.notMatch(
      denied,
      /SECRET FILE|hunter2|0123456789abcdef|^REMOTE_USER=|^REDIRECT_REMOTE_USER=/m,
    );
    t.strictSame([...forged(denied), ...ours(denied)], []);
    for (const more of ["X-Deny: 1", "X-Login: 1"]) {
      const reply = await send("/a.txt", [...headers, more]);
      t.match(reply, /^HTTP\/1.1 (?:403|302) /);
      t.notMatch(reply, /SECRET FILE/);
      t.notMatch(reply, evil);
    }
  });

  t.test(`headers ${attack}, proxied`, async (t) => {
    const body = (text: string): string[] =>
      JSON.parse(/\[.*\]/.exec(text)?.[0] ?? "[]") as string[];
    const values = (list: string[], name: RegExp): string[] =>
      list.filter((_, index) => index % 2 === 1 && name.test(list[index - 1] ?? ""));
    const seen = body(await send("/app/x", headers));
    t.strictSame(values(seen, /^remote.user$/), ["ann"]);
    t.strictSame(values(seen, /^remote.groups$/), ["staff"]);
    t.strictSame(values(seen, /^remote.(?:name|email)$/), []);
    t.strictSame(values(seen, /^mod-ts-(?:context|config|env)$/), []);
    const plain = body(await send("/app/plain", headers));
    t.ok(plain.length > 0, "the request passes");
    t.strictSame(values(plain, /^remote.(?:user|groups|name|email)$/), [], "nobody is somebody");
    t.strictSame(values(plain, /^mod-ts-(?:context|config|env)$/), []);
  });
}

t.test("trailers", async (t) => {
  for (const spell of Object.values(spellings)) {
    const cgi = await sendTrailers("/cgi/env.sh", all(spell));
    t.match(cgi, /^REMOTE_USER=ann$/m);
    t.strictSame([...forged(cgi), ...ours(cgi)], []);
    const app = await sendTrailers("/app/x", all(spell));
    t.notMatch(app, /"remote[-_.]user","evil/);
    t.match(app, '"remote-user","ann"');
  }
});

t.test("names that no header can have are refused", async (t) => {
  for (const header of [
    "Remote-User : evil-1",
    "Remote User: evil-1",
    "Remote-User\t: evil-1",
    ": evil-1",
    "Remote-User\0: evil-1",
  ]) {
    t.match(await send("/cgi/env.sh", [header]), /^HTTP\/1.1 400 /, header);
  }
  t.notMatch(
    await send("/cgi/env.sh", ["X: a", " Remote-User: evil-1"]),
    /^REMOTE_USER=evil/m,
    "folded",
  );
});

t.test("TsIdentityHeader: a header of any name is what Apache says", async (t) => {
  const signs = [..."-_.!#$%&'*+^`|~"];
  for (const first of signs) {
    const lines = signs.flatMap((sign) => [
      `X${first}WebAuth${sign}USER: evil-1`,
      `x${first}web${sign}groups: evil-1`,
    ]);
    const reply = await send("/named/x", [...lines, "Connection: X-Webauth-User"]);
    t.match(reply, '"x-webauth-user","ann"', first);
    t.match(reply, '"x-web-groups","staff"', first);
    t.notMatch(reply, evil, first);
    const nobody = await send("/named/plain", lines);
    t.match(nobody, /^HTTP\/1.1 200 /);
    t.notMatch(nobody, /evil-1|x-web-groups|x-webauth-user/, first);
  }
});

t.test("during a reload", async (t) => {
  const state = { reloading: true };
  const before = apache.sidecarLog().length;
  const attempts = { passed: 0, other: [] as string[] };
  const loop = async (): Promise<void> => {
    while (state.reloading) {
      const denied = await send("/a.txt", ["X-Deny: 1", ...all((name) => name)]);
      if (!denied.startsWith("HTTP/1.1 403 ")) attempts.other.push(denied.slice(0, 200));
      const cgi = await send(
        "/cgi/env.sh",
        all((name) => name),
      );
      if (!/^REMOTE_USER=ann$/m.test(cgi) || forged(cgi).length > 0)
        attempts.other.push(cgi.slice(0, 200));
      else attempts.passed += 1;
    }
  };
  const loops = [loop(), loop()];
  for (let count = 1; count <= 2; count += 1) {
    const logged = logSince(apache.sidecarLog);
    apache.sidecar.kill("SIGHUP");
    await logged(/\] reloaded, generation/);
  }
  state.reloading = false;
  await Promise.all(loops);
  t.strictSame(attempts.other, []);
  t.ok(attempts.passed > 0);
  t.ok(apache.sidecarLog().length > before);
});

t.test("with the sidecar down", async (t) => {
  await killSidecar(apache.sidecar);
  for (const [attack, headers] of Object.entries(attacks)) {
    for (const path of ["/a.txt", "/cgi/env.sh", "/app/x", "/denied/a.txt"]) {
      const reply = await send(path, headers);
      t.match(reply, /^HTTP\/1.1 5\d\d /, `${attack}: ${path}`);
      t.notMatch(reply, /SECRET FILE|GATEWAY_INTERFACE|remote-user/);
    }
  }
});
