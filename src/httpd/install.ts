/** Installation of `mod_ts.conf` into the configuration of an httpd, and its removal. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { ignoring } from "../base/attempt.ts";
import { ModTsError } from "../base/errors.ts";
import type { Httpd } from "./find.ts";
import { enablingCommand } from "./modules.ts";
import { queryHttpd } from "./query.ts";
import { renderConf } from "./render.ts";

export interface InstalledFile {
  /** Absolute path. */
  file: string;
  /** `kept`: it existed. */
  verb: "wrote" | "kept" | "removed";
}

export interface Installation {
  files: InstalledFile[];
  /** Commands that were run. */
  done: string[];
  /** Remaining steps, in order. */
  todo: string[];
}

export interface InstallOptions {
  /** Of a further sidecar. @default none: that of `mod_ts.conf` itself */
  name?: string;
  /** `mod_ts.conf`, or the lines of a further sidecar. */
  text: string;
  /** `apache.conf` of the handlers: which handler runs where. */
  site?: string;
  /** Modules that are not loaded yet, e.g. `mod_headers`. */
  missing: readonly string[];
  /** Overwrite a `mod_ts.conf` with different content. @default false */
  force?: boolean;
}

/**
 * Absolute path of the `apache.conf` that httpd includes: a copy, which belongs to the
 * administrator from then on.
 *
 * Attack: httpd reads it as root, and a piped log in it is a command of root. In the directory that
 * handlers are deployed to, everybody who may deploy would be root, and a deployment that removes
 * it would stop httpd.
 */
export function siteFile(httpd: Httpd, name: string = ""): string {
  return join(dirname(httpd.confDirectory), "mod_ts", `${name || "apache"}.conf`);
}

/**
 * Writes `mod_ts.conf`, copies `apache.conf` once and, on Debian, enables the file and the modules;
 * never changes the main configuration.
 * @throws ModTsError `MODTS_CONF_CHANGED` if `mod_ts.conf` exists with different content
 */
export function installConf(httpd: Httpd, options: InstallOptions): Installation {
  const { name = "", text, site, missing, force = false } = options;
  const file = confFileOf(httpd, name);
  const own = siteFile(httpd, name);
  const includesSite = name === "" && (site !== undefined || readIfThere(own) !== undefined);
  const include = `\n\n# == Which handler runs where ==\n\nInclude "${own}"\n`;
  const files: InstalledFile[] = [];
  const main = confFileOf(httpd, "");
  const confFiles = name === "" ? [file] : [main, file];
  // Its macros are needed, whether or not there is a sidecar without a name.
  if (name !== "") files.push({ file: main, verb: writeOnce(main, renderConf({})) });
  files.push({ file, verb: writeConf(file, includesSite ? text + include : text, force) });
  if (site !== undefined) files.push({ file: own, verb: writeOnce(own, site) });
  const { done, todo } =
    httpd.layout === "debian"
      ? enableOnDebian(confFiles, missing)
      : enableByHand(httpd, confFiles, missing);
  if (name !== "") {
    const macro = text.includes("Use TsAddCallbacks ") ? "TsSidecarHost" : "TsSidecar";
    todo.push(`in the <VirtualHost> of its sections:\nUse ${macro} ${name} "${own}"`);
  }
  if (site !== undefined && readIfThere(own) !== site) {
    todo.push(`compare ${own}, which httpd includes, with the apache.conf of your handlers`);
  }
  todo.push(`${testCommand(httpd)} && ${reloadCommand(httpd)}`);
  return { files, done, todo };
}

/**
 * Removes what {@link installConf} wrote. An `apache.conf` that was edited stays, but is no longer
 * included.
 * @param site `apache.conf` of the handlers
 * @throws ModTsError `MODTS_CONF_IN_USE` if httpd rejects its configuration without the file;
 *   everything is as it was then
 */
export async function uninstallConf(
  httpd: Httpd,
  site?: string,
  name: string = "",
): Promise<Installation> {
  const file = confFileOf(httpd, name);
  const own = siteFile(httpd, name);
  const text = readIfThere(file);
  const files: InstalledFile[] = [];
  const todo: string[] = [];
  const done: string[] = [];
  if (text !== undefined) {
    done.push(...(await disable(httpd, file, text)));
    files.push({ file, verb: "removed" });
  }
  const copy = readIfThere(own);
  if (copy !== undefined && copy === site) {
    rmSync(own);
    if (readdirSync(dirname(own)).length === 0) rmdirSync(dirname(own));
    files.push({ file: own, verb: "removed" });
  } else if (copy !== undefined) files.push({ file: own, verb: "kept" });
  if (httpd.layout === "source") todo.push(`remove Include "${file}" from ${httpd.configFile}`);
  todo.push(
    reloadCommand(httpd),
    "move the handlers out of every DocumentRoot: Apache would serve their source now",
    "disable modules that nothing else needs, such as macro and authnz_fcgi",
    "remove the service of the sidecar, its user, its run directory and its state directory",
  );
  return { files, done, todo };
}

/** Without a tested configuration, httpd would not start again: then everything is put back. */
async function disable(httpd: Httpd, file: string, text: string): Promise<string[]> {
  const isDebian = httpd.layout === "debian";
  const conf = nameOf(file);
  if (isDebian) command("a2disconf", conf);
  rmSync(file);
  // With an own httpd.conf, the Include line is still there.
  if (httpd.layout === "source") return [];
  const { ok, text: words } = await queryHttpd(httpd, ["-t"], httpd.configFile);
  if (ok) return isDebian ? [`a2disconf ${conf}`] : [];
  writeConf(file, text, true);
  if (isDebian) command("a2enconf", conf);
  throw new ModTsError("MODTS_CONF_IN_USE", { file, reason: words.trim() });
}

/** httpd reads the files of its directory in alphabetical order: `mod_ts.conf` before `mod_ts_blog.conf`. */
function confFileOf(httpd: Httpd, name: string): string {
  return join(httpd.confDirectory, name === "" ? "mod_ts.conf" : `mod_ts_${name}.conf`);
}

function nameOf(file: string): string {
  return basename(file, ".conf");
}

function writeConf(file: string, text: string, force: boolean): "wrote" | "kept" {
  const before = readIfThere(file);
  if (before === text) return "kept";
  if (before !== undefined && !force) throw new ModTsError("MODTS_CONF_CHANGED", { file });
  mkdirSync(dirname(file), { recursive: true });
  const mode = /^(?:Define MOD_TS_SECRET|Use TsAddSidecar) /m.test(text) ? 0o600 : 0o644;
  // Attack: an existing file may be world-readable, and keeps its mode. So it is replaced.
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
  return "wrote";
}

function writeOnce(file: string, text: string): "wrote" | "kept" {
  if (readIfThere(file) !== undefined) return "kept";
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o644, flag: "wx" });
  return "wrote";
}

function readIfThere(file: string): string | undefined {
  return ignoring("ENOENT", () => readFileSync(file, "utf8"));
}

/** Both commands only create links, which a2dismod and a2disconf remove. */
function enableOnDebian(
  files: readonly string[],
  missing: readonly string[],
): Pick<Installation, "done" | "todo"> {
  const done: string[] = [];
  const todo: string[] = [];
  const modules = missing.map((name) => name.slice("mod_".length));
  const commands = [
    ...(modules.length > 0 ? [["a2enmod", ...modules]] : []),
    ["a2enconf", ...files.map(nameOf)],
  ];
  for (const [name = "", ...args] of commands) {
    (command(name, ...args) ? done : todo).push([name, ...args].join(" "));
  }
  return { done, todo };
}

/** Whether a command of Debian's apache2 succeeded. */
function command(name: string, ...args: string[]): boolean {
  const { status } = spawnSync(`/usr/sbin/${name}`, ["-q", ...args], {
    stdio: ["ignore", "ignore", 2],
  });
  return status === 0;
}

function enableByHand(
  httpd: Httpd,
  files: readonly string[],
  missing: readonly string[],
): Pick<Installation, "done" | "todo"> {
  const todo = missing.length > 0 ? [enablingCommand(httpd, missing)] : [];
  const includes = files.map((file) => `Include "${file}"`).join("\n");
  if (httpd.layout === "source") todo.push(`at the end of ${httpd.configFile}:\n${includes}`);
  return { done: [], todo };
}

/** Debian's apache2 needs variables that only its apachectl sets. */
function testCommand(httpd: Httpd): string {
  return httpd.layout === "debian" ? "apachectl configtest" : `${httpd.binary} -t`;
}

function reloadCommand(httpd: Httpd): string {
  return httpd.layout === "source"
    ? `${dirname(httpd.binary)}/apachectl graceful`
    : "apachectl graceful";
}
