/** A private httpd and a sidecar in a folder of their own, for the time of a benchmark. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../src/config/config.ts";
import { findHttpd } from "../src/httpd/find.ts";
import { createPrivateServer } from "../src/httpd/private-server.ts";
import { defaultModules } from "../src/httpd/server-root.ts";

const project = join(import.meta.dirname, "..");

/** What users install: `npm run build` makes it. */
export const builtProgram = join(project, "dist/cli/cli.js");

export interface StageOptions {
  /** Apache configuration after `mod_ts.conf`; `${FOLDER}` is the folder. */
  conf: string;
  /** The same before it. */
  before?: string;
  /** Files by path below the folder. */
  files: Record<string, string>;
  config: Config;
  /** In place of the event MPM. */
  mpm?: string;
  /** @default defaultModules */
  modules?: readonly string[];
}

export interface Stage {
  readonly folder: string;
  /** With a slash at the end. */
  readonly url: string;
  readonly httpdPid: number;
  readonly httpdVersion: string;
  /** Starts a program with the Node.js of this process; it ends with the stage. */
  start(...args: string[]): ChildProcess;
  /** Starts the sidecar with the configuration of the folder, or of one below it. */
  startSidecar(below?: string, program?: string): ChildProcess;
}

/** Builds the stage, lets `play` use it, and takes it down whatever happens. */
export async function onStage(
  options: StageOptions,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const httpd = await findHttpd();
  if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
  const { mpm = "mod_mpm_event", modules = defaultModules } = options;
  const children: ChildProcess[] = [];
  const start = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    children.push(child);
    return child;
  };
  try {
    prepare(folder, options);
    const server = await createPrivateServer({
      directory: folder,
      httpd,
      modules: modules.map((name) => (name === "mod_mpm_event" ? mpm : name)).toSorted(),
      conf: `Define FOLDER "${folder}"
Define MOD_TS_RUN "${folder}/run"
# All threads from the beginning: a child that httpd ends for want of work would count as failed requests.
StartServers 8
<IfModule !mpm_prefork_module>
    MinSpareThreads 25
    MaxSpareThreads 400
</IfModule>
MaxKeepAliveRequests 0
${options.before ?? ""}
Include "${project}/apache-conf/mod_ts.conf"
DocumentRoot "${folder}/htdocs"
<Directory "${folder}/htdocs">
    Require all granted
</Directory>
${options.conf}
`,
    });
    try {
      await play({
        folder,
        url: `${server.url}/`,
        httpdPid: server.pid,
        httpdVersion: httpd.version,
        start,
        startSidecar: (below = "", program = join(project, "src/cli/cli.ts")) =>
          start(program, "start", join(folder, below)),
      });
    } finally {
      await server.stop();
    }
  } finally {
    for (const child of children) child.kill();
    await Promise.all(children.map(ended));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks until the answer is a good one. */
export async function untilOk(url: string, headers: Record<string, string> = {}): Promise<void> {
  for (let tries = 0; tries < 2000; tries += 1) {
    const response = await fetch(url, { headers }).catch(() => undefined);
    if (response?.ok) return;
    await sleep(5);
  }
  throw new Error(`${url} gives no good answer`);
}

function prepare(folder: string, { files, config }: StageOptions): void {
  chmodSync(folder, 0o755);
  for (const name of ["htdocs", "run", "handlers"]) mkdirSync(join(folder, name));
  const all = {
    ...files,
    "mod-ts.config.json": JSON.stringify({
      handlers: ["handlers"],
      run: "run",
      pools: { main: { workers: 1 } },
      log: { level: "warn" },
      ...config,
    }),
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    await new Promise((done) => child.once("exit", done));
  }
}
