/**
 * What `mod_ts.conf` costs httpd: `npm run bench:httpd`. Instructions of one request, counted by callgrind in `httpd -X`, which are
 * the same at every load. The kernel is not counted, nor the sidecar: a server that says hello stands in its place.
 *
 * It fails when a request costs a tenth more than in the column `known`, which holds for httpd 2.4.71 and a path of this length.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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

const minimal = "";
const allFeatures = `Define MOD_TS_SECRET 0123456789abcdef
Define MOD_TS_AUTHORIZER 127.0.0.1:9
Define MOD_TS_ORIGIN 0123456789abcdef0123456789abcdef01234567`;
const hello = (lines = ""): string =>
  `<Location "/hello">\nUse TsHandler hello.ts\n${lines}\n</Location>`;
const options = Array.from({ length: 20 }, (_, at) => `Use TsOption key${at} value${at}`);
const nested = ["/", "/hello", "/hello/a", "/hello/a/b", "/hello/a/b/c"].map(
  (path) => `<Location "${path}">\nUse TsHandler hello.ts\n</Location>`,
);

const subjects: Readonly<Record<string, Subject>> = {
  "static file, no mod_ts.conf": { path: "/a.html", known: 37 },
  "static file": { settings: minimal, path: "/a.html", known: 46 },
  "static file, all features": { settings: allFeatures, path: "/a.html", known: 53 },
  hello: { settings: minimal, conf: hello(), path: "/hello/a/b/c", known: 149 },
  "hello, all features": { settings: allFeatures, conf: hello(), path: "/hello/a/b/c", known: 162 },
  "hello, 20 options": {
    settings: minimal,
    conf: hello(options.join("\n")),
    path: "/hello/a/b/c",
    known: 181,
  },
  "hello, 20 options, all features": {
    settings: allFeatures,
    conf: hello(options.join("\n")),
    path: "/hello/a/b/c",
    known: 365,
  },
  "hello, 5 nested sections": {
    settings: minimal,
    conf: nested.join("\n"),
    path: "/hello/a/b/c",
    known: 365,
  },
};

const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");
const table: Record<string, { thousands: number; known: number }> = {};
for (const [name, subject] of Object.entries(subjects)) {
  const thousands = (await count(httpd, subject)) / 1000;
  table[name] = { thousands: Math.round(thousands * 10) / 10, known: subject.known };
  if (thousands > subject.known * 1.1) process.exitCode = 1;
}
console.table(table);
console.log(`httpd ${httpd.version}, ${requests} requests each on one connection, prefork`);

/** Instructions of a request. */
async function count(binary: Httpd, subject: Subject): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
  const port = await freePort("127.0.0.1");
  prepare({ directory, port, binary, subject });
  const sidecar = createServer((_request, reply) => reply.end("hello"));
  await once(sidecar.listen(join(directory, "run/main.sock")), "listening");
  chmodSync(join(directory, "run/main.sock"), 0o777);
  const counted = join(directory, "callgrind.out");
  const child = spawn("valgrind", [...callgrind(counted), ...commandOf(binary, directory)], {
    stdio: ["ignore", "ignore", "pipe"],
    ...ownerOf(),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "exit");
  try {
    await askOften(`http://127.0.0.1:${port}${subject.path}`);
    child.kill("SIGTERM");
    await ended;
    return Number(/^totals: (\d+)/m.exec(readFileSync(counted, "utf8"))?.[1]) / requests;
  } catch (error) {
    throw new Error(`httpd under callgrind: ${said}`, { cause: error });
  } finally {
    child.kill("SIGKILL");
    sidecar.close();
    sidecar.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  }
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

async function askOften(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let tries = 0; !(await isAnswered(url, agent)); tries += 1) {
    if (tries === 1200) throw new Error(`${url} gives no good answer`);
    await sleep(50);
  }
  for (let left = requests - 1; left > 0; left -= 1) {
    if (!(await isAnswered(url, agent))) throw new Error(`${url} gives no good answer`);
  }
  agent.destroy();
}

function isAnswered(url: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode === 200));
    });
    request.once("error", () => resolve(false));
  });
}
