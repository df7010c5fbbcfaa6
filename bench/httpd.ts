/**
 * What `mod_ts.conf` costs httpd: `npm run bench:httpd`. Instructions of one request, counted by callgrind in `httpd -X`, which are the
 * same on every machine and at every load. Kernel and sidecar are not counted.
 *
 * It fails when a count is more than a tenth above its limit.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findHttpd, type Httpd } from "../src/httpd/find.ts";
import { freePort } from "../src/httpd/private-server.ts";
import { defaultModules, unprivilegedUser, writeServerRoot } from "../src/httpd/server-root.ts";

const project = join(import.meta.dirname, "..");
const requests = 200;

interface Subject {
  readonly name: string;
  /** Before `mod_ts.conf`; undefined: a server without it. */
  readonly before?: string;
  readonly conf?: string;
  readonly path: string;
  /** Thousands of instructions. */
  readonly limit: number;
}

const all = `Define MOD_TS_SECRET 0123456789abcdef
Define MOD_TS_AUTHORIZER 127.0.0.1:9
Define MOD_TS_ORIGIN 0123456789abcdef0123456789abcdef01234567`;

const subjects: readonly Subject[] = [
  { name: "static file, without mod_ts.conf", path: "/a.html", limit: 40 },
  { name: "static file", before: "", path: "/a.html", limit: 60 },
  { name: "static file, all features", before: all, path: "/a.html", limit: 80 },
];

const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");
const rows = [];
for (const subject of subjects) rows.push(await count(httpd, subject));
console.table(rows);

async function count(binary: Httpd, subject: Subject): Promise<Record<string, unknown>> {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
  const port = await freePort("127.0.0.1");
  const include =
    subject.before === undefined
      ? ""
      : `${subject.before}\nInclude "${project}/apache-conf/mod_ts.conf"\n`;
  writeServerRoot({
    directory,
    httpd: binary,
    host: "127.0.0.1",
    port,
    modules: defaultModules.map((name) => (name === "mod_mpm_event" ? "mod_mpm_prefork" : name)).toSorted(),
    user: undefined,
    conf: `MaxKeepAliveRequests 0
KeepAliveTimeout 60
Define MOD_TS_RUN "${directory}/run"
${include}${subject.conf ?? ""}`,
  });
  mkdirSync(join(directory, "run"), { recursive: true });
  writeFileSync(join(directory, "htdocs/a.html"), "a".repeat(1024));
  const out = join(directory, "callgrind.out");
  const user = process.geteuid?.() === 0 ? unprivilegedUser() : undefined;
  if (user) execFileSync("chown", ["-R", user.name, directory]);
  const child = spawn(
    "valgrind",
    [
      "--tool=callgrind",
      "--vgdb=no",
      `--callgrind-out-file=${out}`,
      "--collect-atstart=no",
      "--toggle-collect=ap_run_process_connection",
      binary.binary,
      "-d",
      directory,
      "-f",
      join(directory, "httpd.conf"),
      "-X",
    ],
    { stdio: ["ignore", "ignore", "pipe"], ...(user && { uid: user.uid, gid: user.gid }) },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  try {
    await ask(port, subject.path, requests);
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
    const total = Number(/^(?:totals|summary): (\d+)/m.exec(readFileSync(out, "utf8"))?.[1]);
    return { subject: subject.name, thousands: Math.round(total / requests / 100) / 10 };
  } catch (error) {
    throw new Error(said, { cause: error });
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

async function ask(port: number, path: string, times: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let tries = 0; ; tries += 1) {
    try {
      await one(port, path, agent);
      break;
    } catch (error) {
      if (tries > 600) throw error;
      await sleep(50);
    }
  }
  for (let left = times - 1; left > 0; left -= 1) await one(port, path, agent);
  agent.destroy();
}

function one(port: number, path: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent }, (response) => {
      response.resume();
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      else response.once("end", resolve);
    }).once("error", reject);
  });
}
