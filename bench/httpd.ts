/**
 * What `mod_ts.conf` costs httpd: `npm run bench:httpd`, for all subjects or for those that are named. Instructions of one request,
 * counted by callgrind in `httpd -X`, which are the same at every load. The kernel is not counted, nor the sidecar: servers that say
 * hello, and that Apache goes on, stand in its place.
 *
 * It fails when a request costs a tenth more than in the column `known`, in proportion to a server without `mod_ts.conf`. These
 * numbers were counted with httpd 2.4.71.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, get } from "node:http";
import { createServer as createNetServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Decisions } from "../src/decider/decision.ts";
import { ScgiReader } from "../src/decider/netstring.ts";
import { createTrustCheck } from "../src/decider/trust.ts";
import { fieldIndex } from "../src/engine/apache-context.ts";
import { digest } from "../src/engine/changes.ts";
import { findHttpd, type Httpd } from "../src/httpd/find.ts";
import { freePort } from "../src/httpd/private-server.ts";
import { defaultModules, unprivilegedUser, writeServerRoot } from "../src/httpd/server-root.ts";

const project = join(import.meta.dirname, "..");
const requests = 200;

interface Subject {
  /** Settings before `mod_ts.conf`; undefined: a server without it. */
  readonly settings?: string;
  readonly conf?: string;
  readonly path: string;
  /** Thousands of instructions, when they were last counted. */
  readonly known: number;
}

const secret = "0123456789abcdef";
const minimal = "";
const allFeatures = `Define MOD_TS_SECRET ${secret}
Define MOD_TS_AUTHORIZER 127.0.0.1:9
Define MOD_TS_ORIGIN 0123456789abcdef0123456789abcdef01234567`;
const hello = (lines = ""): string =>
  `<Location "/hello">\nUse TsHandler hello.ts\n${lines}\n</Location>`;
const options = Array.from({ length: 20 }, (_, at) => `Use TsOption key${at} value${at}`);
const nested = ["/", "/hello", "/hello/a", "/hello/a/b", "/hello/a/b/c"].map(
  (path) => `<Location "${path}">\nUse TsHandler hello.ts\n</Location>`,
);

const alone: Subject = { path: "/a.html", known: 37 };
const subjects: Readonly<Record<string, Subject>> = {
  "static file": { settings: minimal, path: "/a.html", known: 42 },
  "static file, all features": { settings: allFeatures, path: "/a.html", known: 49 },
  "a proxied server": {
    settings: minimal,
    conf: `<Proxy "unix:\${MOD_TS_RUN}/main.sock|http://plain" enablereuse=on>
</Proxy>
<Location "/hello">
SetHandler "proxy:unix:\${MOD_TS_RUN}/main.sock|http://plain"
</Location>`,
    path: "/hello/a/b/c",
    known: 78,
  },
  hello: { settings: minimal, conf: hello(), path: "/hello/a/b/c", known: 118 },
  "hello, all features": { settings: allFeatures, conf: hello(), path: "/hello/a/b/c", known: 153 },
  "hello, 20 options": {
    settings: minimal,
    conf: hello(options.join("\n")),
    path: "/hello/a/b/c",
    known: 141,
  },
  "hello, 20 options, all features": {
    settings: allFeatures,
    conf: hello(options.join("\n")),
    path: "/hello/a/b/c",
    known: 274,
  },
  "hello, 5 nested sections": {
    settings: minimal,
    conf: nested.join("\n"),
    path: "/hello/a/b/c",
    known: 155,
  },
  "static file, decided, all features": {
    settings: allFeatures,
    conf: `<Location "/a.html">\nUse TsFixupHandler h.ts\n</Location>`,
    path: "/a.html",
    known: 301,
  },
};

if (spawnSync("valgrind", ["--version"]).error) {
  throw new Error("valgrind is missing: apt-get install valgrind");
}
const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !subjects[name]);
if (unknown !== undefined) {
  throw new Error(`no subject ${unknown}; there are: ${Object.keys(subjects).join("; ")}`);
}
const least = await count(httpd, alone);
const table: Record<string, { thousands: number; known: number }> = {
  "static file, no mod_ts.conf": { thousands: rounded(least), known: alone.known },
};
for (const [name, subject] of Object.entries(subjects)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const counted = await count(httpd, subject);
  table[name] = { thousands: rounded(counted), known: subject.known };
  if (counted / least > (subject.known / alone.known) * 1.1) process.exitCode = 1;
}
console.table(table);
console.log(`httpd ${httpd.version}, ${requests} requests each on one connection, prefork`);

function rounded(instructions: number): number {
  return Math.round(instructions / 100) / 10;
}

/** Instructions of a request. Another program may have taken the port meanwhile. */
async function count(binary: Httpd, subject: Subject, tries = 3): Promise<number> {
  try {
    return await countOnce(binary, subject);
  } catch (error) {
    if (tries === 1) throw error;
    return count(binary, subject, tries - 1);
  }
}

async function countOnce(binary: Httpd, subject: Subject): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
  const port = await freePort("127.0.0.1");
  prepare({ directory, port, binary, subject });
  const sidecar = createServer((_request, reply) => reply.end("hello"));
  await listen(sidecar, join(directory, "run/main.sock"));
  const decider = createDecider();
  await listen(decider, join(directory, "run/decide.sock"));
  const counted = join(directory, "callgrind.out");
  const child = spawn("valgrind", [...callgrind(counted), ...commandOf(binary, directory)], {
    stdio: ["ignore", "ignore", "pipe"],
    ...ownerOf(),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "exit");
  try {
    const agent = await askOften(`http://127.0.0.1:${port}${subject.path}`, child);
    // In this order: a signal just before httpd waits for a further connection would be lost.
    child.kill("SIGTERM");
    agent.destroy();
    await ended;
    return Number(/^totals: (\d+)/m.exec(readFileSync(counted, "utf8"))?.[1]) / requests;
  } catch (error) {
    throw new Error(`httpd under callgrind: ${said}`, { cause: error });
  } finally {
    child.kill("SIGKILL");
    sidecar.close();
    sidecar.closeAllConnections();
    decider.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await once(server.listen(path), "listening");
  chmodSync(path, 0o777);
}

/** Decides that Apache goes on, as `src/decider/server.ts` does. */
function createDecider(): Server {
  const trust = createTrustCheck(secret);
  const decisions = new Decisions(secret);
  return createNetServer((socket) => {
    const reader = new ScgiReader(262_144);
    socket.on("data", (bytes: Buffer) => {
      const event = reader.push(bytes);
      if (event.type !== "request") return;
      const { fields, directives } = trust(event.params).headers;
      const field = (name: keyof typeof fieldIndex): string => fields[fieldIndex[name]] ?? "";
      const path = Buffer.from(field("uri"), "base64");
      const decision = { depth: 1, judged: directives.map(digest), fields: new Map() };
      const header = decisions.write(decision, {
        path,
        requestLine: Buffer.from(field("requestLine"), "base64"),
        remoteAddress: field("remoteAddress"),
        remotePort: field("remotePort"),
      });
      socket.end(`Status: 200 OK\r\nMod-Ts-Location: ${path}\r\nServer: ${header}\r\n\r\n`);
    });
  });
}

interface Place {
  readonly directory: string;
  readonly port: number;
  readonly binary: Httpd;
  readonly subject: Subject;
}

function prepare({ directory, port, binary, subject }: Place): void {
  const { settings, conf = "" } = subject;
  const include =
    settings === undefined ? "" : `${settings}\nInclude "${project}/apache-conf/mod_ts.conf"`;
  writeServerRoot({
    directory,
    httpd: binary,
    host: "127.0.0.1",
    port,
    modules: defaultModules
      .map((name) => (name === "mod_mpm_event" ? "mod_mpm_prefork" : name))
      .toSorted(),
    user: undefined,
    conf: `MaxKeepAliveRequests 0
KeepAliveTimeout 60
Define MOD_TS_RUN "${directory}/run"
${include}
${conf}`,
  });
  mkdirSync(join(directory, "run"));
  writeFileSync(join(directory, "htdocs/a.html"), "a".repeat(1024));
  const owner = ownerOf();
  if (owner) execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, directory]);
}

/** httpd never serves as root, and callgrind writes as the user that httpd has become. */
function ownerOf(): { uid: number; gid: number } | undefined {
  const user = process.geteuid?.() === 0 ? unprivilegedUser() : undefined;
  return user && { uid: user.uid, gid: user.gid };
}

/** Counts what happens in connections, not the start. */
function callgrind(out: string): string[] {
  return [
    "--tool=callgrind",
    "--vgdb=no",
    `--callgrind-out-file=${out}`,
    "--collect-atstart=no",
    "--toggle-collect=ap_run_process_connection",
  ];
}

function commandOf({ binary }: Httpd, directory: string): string[] {
  return [binary, "-d", directory, "-f", join(directory, "httpd.conf"), "-X"];
}

/** Returns the connection, which is still open. */
async function askOften(url: string, child: ChildProcess): Promise<Agent> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let tries = 0; !(await isAnswered(url, agent)); tries += 1) {
    if (tries === 1200 || child.exitCode !== null) throw new Error(`${url} gives no good answer`);
    await sleep(50);
  }
  for (let left = requests - 1; left > 0; left -= 1) {
    if (!(await isAnswered(url, agent))) throw new Error(`${url} gives no good answer`);
  }
  return agent;
}

function isAnswered(url: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode === 200));
    });
    request.once("error", () => resolve(false));
  });
}
