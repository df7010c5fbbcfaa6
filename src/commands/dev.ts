/**
 * `mod-ts dev`: a private Apache with the handlers of a folder.
 * @module
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../config.ts";
import { hasModule, type Httpd } from "../httpd/find.ts";
import { freePort } from "../httpd/free-port.ts";
import { createPrivateServer, type PrivateServer } from "../httpd/private-server.ts";
import { provideHttpd } from "../httpd/provide.ts";
import { defaultModules, threads } from "../httpd/server-root.ts";
import type { Supervisor } from "../supervisor.ts";
import { parseCommand, UsageError } from "./command.ts";
import { formatDevConf } from "./dev-conf.ts";
import { prepareSupervisor } from "./prepare-supervisor.ts";
import { makeRuntimeFolder } from "./runtime-folder.ts";

export const usage = "dev [folder]";

export const summary = `Starts a private Apache and the sidecar with the handlers of a folder.

Reads mod-ts.config.ts and apache.conf in the folder, by default the current one; both may be missing.
A saved handler is what the next request runs; errors are shown in the browser. For a change in apache.conf or
mod-ts.config.ts start it again. Ctrl-C ends both.`;

export const options = {
  port: {
    type: "string",
    short: "p",
    placeholder: "number",
    description: "port of Apache (default: 8080, or the next free one)",
  },
  host: { type: "string", default: "127.0.0.1", description: "address to listen on" },
} as const;

/** Modules that examples and applications use, loaded where this httpd has them. */
const moreModules = [
  "mod_authz_groupfile",
  "mod_cgid",
  "mod_deflate",
  "mod_expires",
  "mod_include",
  "mod_status",
];

/** Runs until a signal ends it, and gives 0; 1 when Apache ended by itself. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const folder = resolve(positionals[0] ?? ".");
  if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
  const named = readPort(values.port);
  const host = values.host ?? options.host.default;
  const httpd = await provideHttpd((text) => process.stderr.write(`mod-ts: ${text}\n`));
  const { path: runtime, reason, readable } = makeRuntimeFolder(folder);
  if (reason !== undefined) process.stderr.write(`mod-ts: ${reason}; using ${runtime}\n`);
  const overrides: Config = { development: true, run: join(runtime, "run"), ...ownGroup() };
  const port = named || (await freePort(host, named === 0 ? undefined : 8080));
  const defaults = { ...(await ownDoor(httpd)), ...callBack(httpd, host, port) };
  const { supervisor, config } = await prepareSupervisor(folder, overrides, defaults);
  const signal = nextSignal(supervisor);
  await supervisor.start();
  try {
    const server = await createPrivateServer({
      folder: join(runtime, "httpd"),
      httpd,
      host,
      port,
      modules: modulesOf(httpd),
      conf: formatDevConf(folder, config, readable),
    });
    return await serve(server, supervisor, signal);
  } finally {
    await supervisor.stop();
  }
}

/** Unless we are root, Apache runs as ourselves, and the group of the system's Apache is not ours to give. */
function ownGroup(): Pick<Config, "socketGroup"> {
  if (process.getuid?.() === 0) return {};
  const name = spawnSync("id", ["-gn"], { encoding: "utf8" }).stdout.trim();
  return name ? { socketGroup: name } : {};
}

/** A port for `TsAuthenHandler` and its like, where the configuration names none and this httpd can ask. */
async function ownDoor(httpd: Httpd): Promise<Pick<Config, "authorizer">> {
  const needed = ["mod_authnz_fcgi", "mod_authz_user", "mod_env"];
  return needed.every((name) => hasModule(httpd, name))
    ? { authorizer: { port: await freePort("127.0.0.1") } }
    : {};
}

/** `mod_ts/origin` and its like work at once. The private Apache has {@link threads} threads. */
function callBack(httpd: Httpd, host: string, port: number): Pick<Config, "origin" | "secret"> {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host;
  if (!/^(?:127\.|localhost$)/.test(address) || !hasModule(httpd, "mod_remoteip")) return {};
  return {
    origin: { url: `http://${address}:${port}`, requestWorkers: threads },
    secret: randomBytes(24).toString("base64url"),
  };
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new UsageError(`not a port: ${text}`);
  return port;
}

function modulesOf(httpd: Httpd): string[] {
  const names = new Set([...defaultModules, ...moreModules]);
  return [...names].filter((name) => hasModule(httpd, name)).toSorted();
}

async function serve(
  server: PrivateServer,
  supervisor: Supervisor,
  signal: Promise<"signal">,
): Promise<number> {
  await Promise.race([supervisor.ready, signal]);
  process.stderr.write(
    `\nmod_ts is ready: ${server.url}/\nApache's log: ${server.errorLogFile}\nCtrl-C ends both.\n\n`,
  );
  const cause = await Promise.race([signal, server.ended.then(() => "ended" as const)]);
  // Apache first: behind a sidecar that is gone it would answer 503.
  await server.stop();
  if (cause === "signal") return 0;
  process.stderr.write(`mod-ts: Apache ended by itself; see ${server.errorLogFile}\n`);
  return 1;
}

/** SIGHUP is `mod-ts reload`, and also what a terminal sends when it is closed. */
function nextSignal(supervisor: Supervisor): Promise<"signal"> {
  const hadTerminal = hasTerminal();
  return new Promise((settle) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => settle("signal"));
    process.on("SIGHUP", () => {
      if (hadTerminal && !hasTerminal()) settle("signal");
      else void supervisor.reload();
    });
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
