/** `mod-ts dev`: a private Apache with the handlers of a directory. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { watch } from "chokidar";
import { attempt } from "../../base/attempt.ts";
import type { Config } from "../../config/config.ts";
import { type Finding, formatFinding } from "../../httpd/finding.ts";
import { hasModule, type Httpd } from "../../httpd/find.ts";
import { checkGuards } from "../../httpd/guard-rules.ts";
import { MergedConfig } from "../../httpd/merged-config.ts";
import { createPrivateServer, freePort, type PrivateServer } from "../../httpd/private-server.ts";
import { provideHttpd } from "../../httpd/provide.ts";
import { dumpConfig } from "../../httpd/query.ts";
import { confFile } from "../../httpd/render.ts";
import { defaultModules, threads } from "../../httpd/server-root.ts";
import type { Supervisor, SupervisorOptions } from "../../supervisor/supervisor.ts";
import { parseCommand, UsageError } from "./command.ts";
import { formatDevConf, hostPattern } from "./dev-conf.ts";
import { prepareSupervisor } from "./prepare-supervisor.ts";
import { makeDevDirectory } from "./dev-directory.ts";

export const usage = "dev [directory]";

export const summary = `Starts a private Apache and the sidecar with the handlers of a directory.

Reads mod-ts.config.ts and apache.conf in the directory (default: the current one); both are optional.
The next request runs a saved handler; errors are shown in the browser.
A saved apache.conf, mod-ts.config.ts or .env is read again. Ctrl-C stops both.`;

export const options = {
  port: {
    type: "string",
    short: "p",
    placeholder: "number",
    description: "port of Apache (default: 8080, or the next free one)",
  },
  host: { type: "string", default: "127.0.0.1", description: "address to listen on" },
  "allowed-host": {
    type: "string",
    multiple: true,
    placeholder: "name",
    description: "host name of requests besides localhost; .example.test with subdomains",
  },
  inspect: { type: "boolean", default: false, description: "let a debugger attach to the worker" },
  "inspect-brk": {
    type: "boolean",
    default: false,
    description: "the same, and wait for it before handlers are loaded",
  },
  "inspect-port": {
    type: "string",
    placeholder: "number",
    description: "port of the debugger (default: 9229; of each further pool: the next one)",
  },
} as const;

/** For examples and applications, if this httpd has them. */
const moreModules =
  "authz_groupfile brotli cgid deflate expires include proxy_fcgi sed socache_shmcb ssl status substitute"
    .split(" ")
    .map((name) => `mod_${name}`);

/** Runs until a signal, then returns 0; returns 1 if Apache exited by itself. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  const directory = resolve(positionals[0] ?? ".");
  if (!existsSync(directory)) throw new UsageError(`no such directory: ${directory}`);
  const named = readPort(values.port);
  const host = values.host ?? options.host.default;
  const hosts = readHosts(host, values["allowed-host"]);
  const httpd = await provideHttpd((text) => process.stderr.write(`mod-ts: ${text}\n`));
  const { path, reason, readable } = makeDevDirectory(directory);
  if (reason !== undefined) process.stderr.write(`mod-ts: ${reason}; using ${path}\n`);
  const overrides: Config = { development: true, run: join(path, "run"), ...ownGroup() };
  const port = named || (await freePort(host, named === 0 ? undefined : 8080));
  const defaults = {
    accessLog: join(path, "access.json"),
    ...(await authorizerPort(httpd)),
    ...callbackSettings(httpd, host, port),
  };
  const inspect = readInspect(values);
  const { supervisor, config } = await prepareSupervisor(directory, overrides, defaults, inspect);
  const signal = nextSignal(supervisor);
  await supervisor.start();
  try {
    const isPatient = inspect !== undefined;
    // The package may be in a zip file (Plug'n'Play of Yarn), which only Node.js can read.
    const ownConf = join(path, "mod_ts.conf");
    writeFileSync(ownConf, readFileSync(confFile));
    const formatConf = (closed: readonly Finding[] = []): string =>
      formatDevConf(directory, config, { confFile: ownConf, readable, hosts, isPatient, closed });
    const server = await createPrivateServer({
      directory: join(path, "httpd"),
      httpd,
      host,
      port,
      modules: modulesOf(httpd),
      conf: formatConf(),
    });
    const apacheConf = join(directory, "apache.conf");
    const names = ["tsconfig.json", ".env", ".env.local", ".env.development"];
    const files = [apacheConf, config.file, ...names.map((name) => join(directory, name))];
    const watcher = watch(files, { ignoreInitial: true });
    watcher.on("all", (_event, file) => {
      if (file !== apacheConf) void supervisor.reload();
      else if (reloadApache(server, formatConf())) explainGuards(httpd, server, formatConf);
    });
    explainGuards(httpd, server, formatConf);
    try {
      return await serve(server, supervisor, signal);
    } finally {
      await watcher.close();
    }
  } finally {
    await supervisor.stop();
  }
}

function reloadApache(server: PrivateServer, conf: string): boolean {
  const words = server.reload(conf);
  const text =
    words === undefined
      ? "apache.conf: Apache has read it again"
      : `apache.conf: rejected, the last version stays in use\n${words}`;
  process.stderr.write(`mod-ts: ${text}\n`);
  return words === undefined;
}

/** Reports guards that are never asked or that refuse everybody, by the rules of `mod-ts check`. */
function explainGuards(...own: Parameters<typeof checkOwnGuards>): void {
  // Apache runs with or without it, or has ended meanwhile.
  checkOwnGuards(...own).catch((error: Error) => {
    process.stderr.write(`mod-ts: guards are not checked: ${error.message}\n`);
  });
}

async function checkOwnGuards(
  httpd: Httpd,
  server: PrivateServer,
  formatConf: (closed: readonly Finding[]) => string,
): Promise<void> {
  const dump = await dumpConfig(httpd, join(server.directory, "httpd.conf"));
  const findings = dump === undefined ? [] : checkGuards(new MergedConfig(dump));
  const bad = findings.filter(({ level }) => level === "bad");
  if (bad.length > 0)
    process.stderr.write(`mod-ts: apache.conf\n${bad.map(formatFinding).join("")}`);
  const closed = bad.filter(({ rule }) => rule === "guard-closed");
  if (closed.length > 0) server.reload(formatConf(closed));
}

/** Unless root, Apache runs as the current user, who cannot change to its group. */
function ownGroup(): Pick<Config, "socketGroup"> {
  if (process.getuid?.() === 0) return {};
  const name = spawnSync("id", ["-gn"], { encoding: "utf8" }).stdout.trim();
  return name ? { socketGroup: name } : {};
}

/** Access control (`TsAuthenHandler` and similar), if this httpd supports it. */
async function authorizerPort(httpd: Httpd): Promise<Pick<Config, "authorizer">> {
  const needed = ["mod_authnz_fcgi", "mod_authz_user", "mod_env"];
  return needed.every((name) => hasModule(httpd, name))
    ? { authorizer: { port: await freePort("127.0.0.1") } }
    : {};
}

/** Callbacks (`mod_ts/origin` and similar). */
function callbackSettings(
  httpd: Httpd,
  host: string,
  port: number,
): Pick<Config, "origin" | "secret"> {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host;
  if (!/^(?:127\.|localhost$)/.test(address) || !hasModule(httpd, "mod_remoteip")) return {};
  return {
    origin: { url: `http://${address}:${port}`, requestWorkers: threads },
    secret: randomBytes(24).toString("base64url"),
  };
}

function readInspect(values: {
  inspect?: boolean;
  "inspect-brk"?: boolean;
  "inspect-port"?: string;
}): SupervisorOptions["inspect"] {
  const waits = values["inspect-brk"] === true;
  if (!waits && values.inspect !== true) return undefined;
  return { port: readPort(values["inspect-port"]) ?? 9229, waits };
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new UsageError(`invalid port: ${text}`);
  return port;
}

function readHosts(host: string, allowed: readonly string[] = []): string[] {
  const invalid = allowed.find((name) => !hostPattern.test(name));
  if (invalid !== undefined) throw new UsageError(`invalid host name: ${invalid}`);
  return [...(hostPattern.test(host) ? [host] : []), ...allowed];
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
    `\nmod_ts is ready: ${server.url}/\nApache's log: ${server.errorLogFile}\nCtrl-C stops both.\n\n`,
  );
  const cause = await Promise.race([signal, server.ended.then(() => "ended" as const)]);
  // Apache first: without the sidecar it responds 503.
  await server.stop();
  if (cause === "signal") return 0;
  process.stderr.write(`mod-ts: Apache exited unexpectedly; see ${server.errorLogFile}\n`);
  return 1;
}

/** SIGHUP means reload, but is also sent by a closed terminal. */
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
  const descriptor = attempt(() => openSync("/dev/tty", "r"), undefined);
  if (descriptor !== undefined) closeSync(descriptor);
  return descriptor !== undefined;
}
