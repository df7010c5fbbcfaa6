/**
 * What a process with the rights of httpd can do with what tenants can read: captured seals are
 * sent to the sockets of the sidecar again, with changes.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import * as record from "../../src/authorizer/fastcgi.ts";
import { writeBeginRequest } from "../fixtures/fcgi-client.ts";
import { unprivilegedUser } from "../../src/httpd/server-root.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { apacheTime, sealPairs } from "../fixtures/sealed.ts";

const secret = "0123456789abcdef-replay";
const apache = await startApache(t, {
  authorizer: true,
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: `<Directory "\${FOLDER}/htdocs/tenant">
      AllowOverride AuthConfig FileInfo
      AuthType Basic
      AuthName "tenant"
      Use TsAuthenHandler guard.ts
      Use TsOption pass hunter2
      Require valid-user
    </Directory>
    <Location "/content">
      Use TsHandler guard.ts
    </Location>
    <Directory "\${FOLDER}/htdocs/content">
      AllowOverride FileInfo
    </Directory>`,
  files: {
    "htdocs/tenant/a.txt": "a\n",
    "htdocs/content/a.txt": "a\n",
    "htdocs/content/.htaccess": 'Header set X-Seen "expr=%{base64:%{req:Mod-Ts-Context}}"\n',
    "htdocs/tenant/.htaccess":
      'AuthName "[%{base64:%{reqenv:MOD_TS_POLICY}}]"\nAuthType Basic\nRequire valid-user\n',
  },
  handlers: {
    "guard.ts": handlerFile("replay-guard.ts"),
  },
});
const file = join(apache.folder, "htdocs/tenant/a.txt");

/** Sends bytes as the user of httpd, and gives all that came back. */
function sendAsHttpd(address: object, bytes: Buffer): string {
  const script = `let all = "";
    const socket = require("net").connect(${JSON.stringify(address)});
    socket.setEncoding("latin1").on("data", (text) => (all += text));
    socket.on("error", (error) => (all += error.code)).on("close", () => process.stdout.write(all));
    socket.write(Buffer.from("${bytes.toString("base64")}", "base64"));`;
  const user = process.geteuid?.() === 0 ? unprivilegedUser() : undefined;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    encoding: "latin1",
    env: {},
    ...(user && { uid: user.uid, gid: user.gid }),
  });
  return stdout || stderr;
}

const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(apache.sidecarLog())?.[1]);

function ask(pairs: record.Pairs): string {
  const bytes = Buffer.concat([
    writeBeginRequest(1, { role: record.FCGI_AUTHORIZER, keepConnection: false }),
    record.writeStream(record.FCGI_PARAMS, 1, record.writePairs(pairs)),
  ]);
  return /Status: (\d+)/.exec(sendAsHttpd({ host: "127.0.0.1", port }, bytes))?.[1] ?? "closed";
}

/** The policy of a refused request, which the expression in `AuthName` prints. */
async function capture(): Promise<string> {
  const { headers } = await apache.request("/tenant/a.txt?x=1");
  const encoded = /\[([\w+/=]+)\]/.exec(String(headers["www-authenticate"]))?.[1] ?? "";
  return Buffer.from(encoded, "base64").toString();
}

const asked: record.Pairs = [
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_SCHEME", "http"],
  ["REMOTE_ADDR", "127.0.0.1"],
  ["SERVER_NAME", "127.0.0.1"],
  ["SERVER_PORT", String(apache.port)],
  ["QUERY_STRING", "x=1"],
  ["SCRIPT_FILENAME", file],
  ["REMOTE_USER", "ann"],
];

function withParam(name: string, value: string, policy: string): record.Pairs {
  const pairs = asked.filter(([found]) => found !== name);
  return [...pairs, [name, value], ["MOD_TS_POLICY", policy]];
}

t.test("a captured policy asks what was asked, and nothing else", async (t) => {
  const policy = await capture();
  t.match(policy, /authen guard\.ts[^]*\nseal t=\d{16} /);
  t.equal(ask(withParam("REMOTE_PASSWD", "wrong", policy)), "401", "the same question, answered");
  t.equal(ask(withParam("REMOTE_PASSWD", "hunter2", policy)), "200", "to its sender only");
  const others: Record<string, string> = {
    SCRIPT_FILENAME: join(apache.folder, "mod-ts.config.json"),
    REQUEST_METHOD: "DELETE",
    REQUEST_SCHEME: "https",
    REMOTE_ADDR: "192.0.2.1",
    SERVER_NAME: "other.example",
    SERVER_PORT: "1",
    QUERY_STRING: "x=2",
  };
  for (const [name, value] of Object.entries(others)) {
    const pairs: record.Pairs = [...withParam(name, value, policy), ["REMOTE_PASSWD", "hunter2"]];
    t.equal(ask(pairs), "403", name);
  }
});

t.test("a changed policy is refused", async (t) => {
  const policy = await capture();
  const changes: Record<string, string> = {
    option: policy.replace("hunter2", "mine"),
    "option added": policy.replace("\nseal ", "\noption pass mine\nseal "),
    handler: policy.replace("authen guard.ts", "authen guard.ts::handler"),
    "no guard": policy.replace("\nauthen guard.ts", ""),
    file: policy.replace(/(seal t=\d+(?: \S*){3} )\S+/, `$1${btoa("/etc/passwd")}`),
    time: policy.replace(/seal t=\d{16}/, `seal ${apacheTime(new Date(Date.now() + 5000))}`),
    "no seal": policy.replace(/\nseal .*/, ""),
    nothing: "",
  };
  for (const [name, changed] of Object.entries(changes)) {
    t.not(changed, policy, name);
    for (const password of ["hunter2", "mine"]) {
      const status = ask(withParam("REMOTE_PASSWD", password, changed));
      t.match(status, /^(?:403|closed)$/, `${name}: ${status}`);
    }
  }
});

t.test("what stood in the policy is not taken for a parameter", async (t) => {
  const policy = await capture();
  const [, lines = "", seal = ""] = /^([^]*)(\nseal .*)$/.exec(policy) ?? [];
  const before = asked.slice(0, 6).map(([, value]) => value);
  const names = asked.slice(0, 6).map(([name]) => name);
  // The sealed text is the same: only its parts are cut elsewhere.
  const text = before.join(" ") + lines;
  const shifts: string[][] = [];
  for (const match of lines.matchAll(/\n/g)) {
    const end = before.join(" ").length + match.index;
    const words = text.slice(0, end).split(" ");
    for (let extra = 0; extra + 6 <= words.length; extra += 1) {
      const first = words.slice(0, extra + 1).join(" ");
      const middle = words.slice(extra + 1, extra + 5);
      shifts.push([first, ...middle, words.slice(extra + 5).join(" "), text.slice(end)]);
    }
  }
  t.ok(shifts.length > 3);
  for (const [index, shift] of shifts.entries()) {
    const rest = shift.at(-1) ?? "";
    const pairs: record.Pairs = names.map((name, at) => [name, shift[at] ?? ""]);
    const more: record.Pairs = [...pairs, ...asked.slice(6), ["MOD_TS_POLICY", rest + seal]];
    const status = ask([...more, ["REMOTE_PASSWD", "hunter2"]]);
    t.equal(status, index === 0 ? "200" : "403", JSON.stringify(shift));
  }
});

t.test("a policy is good for ten minutes, and never again", async (t) => {
  const lines = ["ask", "authen guard.ts", "option pass hunter2"];
  const pairs: record.Pairs = [...asked, ["REMOTE_PASSWD", "hunter2"]];
  const at = (minutes: number): string =>
    ask(
      sealPairs(pairs, {
        policy: lines,
        secret,
        time: apacheTime(new Date(Date.now() - minutes * 60_000)),
      }),
    );
  t.equal(at(0), "200");
  t.equal(at(9), "200");
  for (const minutes of [11, 13, 16, 60, 3 * 60, 24 * 60, -2, -15, -60])
    t.equal(at(minutes), "403", `${minutes} minutes ago`);
});

/** Status and body of the gateway. */
function request(headers: string[]): string {
  const head = ["GET / HTTP/1.1", "Host: x", "Connection: close", ...headers, "", ""].join("\r\n");
  return sendAsHttpd({ path: join(apache.folder, "run/main.sock") }, Buffer.from(head));
}

t.test("what one transport was told opens no other", async (t) => {
  const policy = await capture();
  const [, sealed = "", mac = ""] = /seal (.*) ([0-9a-f]{40})$/.exec(policy) ?? [];
  t.match(request([]), /^HTTP\/1\.1 403 /);
  for (const context of [`${mac};${sealed}`, `${mac};2;${sealed.replaceAll(" ", ";")}`]) {
    t.match(request([`Mod-Ts-Context: ${context}`, "Mod-Ts-Config: handler guard.ts"]), / 403 /);
  }
});

t.test(
  "FileInfo reads the context of a request, which says what was said and nothing else",
  async (t) => {
    const { headers } = await apache.request("/content/a.txt");
    const context = Buffer.from(String(headers["x-seen"]), "base64").toString();
    const send = (text: string): string =>
      request([`Mod-Ts-Context: ${text}`, "Mod-Ts-Config: handler guard.ts"]);
    t.match(send(context), /^HTTP\/1\.1 200 [^]*\[null,".*\/content\/a\.txt"\]/, "the same again");
    const fields = context.split(";");
    t.ok(fields.length > 20);
    for (const index of fields.keys()) {
      const changed = fields.with(index, fields[index] === "" ? btoa("admin") : "");
      t.match(send(changed.join(";")), /^HTTP\/1\.1 403 /, `field ${index}`);
    }
  },
);
