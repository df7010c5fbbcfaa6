/**
 * Puts `mod_ts.conf` where an httpd looks for the configuration of add-ons.
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ModTsError } from "../errors.ts";
import type { Httpd } from "./find.ts";
import { enablingCommand } from "./modules.ts";

/** What an installation has done and has left to do. */
export interface Installation {
  /** Path of the file. */
  file: string;
  /** `kept`: it was there already with the same text. */
  verb: "wrote" | "kept";
  /** What was done besides, a line each. */
  done: string[];
  /** What the user must do, in order, a line each. */
  todo: string[];
}

/** How to install. */
export interface InstallOptions {
  /** Text of the file. */
  text: string;
  /** Modules that are not loaded yet, as in `mod_headers`. */
  missing: readonly string[];
  /**
   * Overwrite a file with another text.
   * @default false
   */
  force?: boolean;
}

/**
 * Writes the file and, on Debian, enables it and the modules. The main configuration file is never touched.
 * @throws ModTsError `MODTS_CONF_CHANGED` when there is a file with another text
 */
export function installConf(httpd: Httpd, options: InstallOptions): Installation {
  const { text, missing, force = false } = options;
  const file = join(httpd.confFolder, "mod_ts.conf");
  const verb = writeConf(file, text, force);
  const { done, todo } =
    httpd.layout === "debian" ? enableOnDebian(missing) : enableByHand(httpd, file, missing);
  todo.push(`${httpd.binary} -t && ${reloadCommand(httpd)}`);
  return { file, verb, done, todo };
}

function writeConf(file: string, text: string, force: boolean): "wrote" | "kept" {
  const before = readIfThere(file);
  if (before === text) return "kept";
  if (before !== undefined && !force) throw new ModTsError("MODTS_CONF_CHANGED", { file });
  mkdirSync(dirname(file), { recursive: true });
  const mode = /^Define MOD_TS_SECRET /m.test(text) ? 0o600 : 0o644;
  // In place of an older file, not into it: that one may be readable for everybody, and the mode of a file that exists stays.
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
  return "wrote";
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Both commands only make links, which a2dismod and a2disconf remove. */
function enableOnDebian(missing: readonly string[]): Pick<Installation, "done" | "todo"> {
  const done: string[] = [];
  const todo: string[] = [];
  const modules = missing.map((name) => name.slice("mod_".length));
  const commands = [
    ...(modules.length > 0 ? [["a2enmod", ...modules]] : []),
    ["a2enconf", "mod_ts"],
  ];
  for (const [name = "", ...args] of commands) {
    const { status } = spawnSync(`/usr/sbin/${name}`, ["-q", ...args], {
      stdio: ["ignore", "ignore", 2],
    });
    (status === 0 ? done : todo).push([name, ...args].join(" "));
  }
  return { done, todo };
}

function enableByHand(
  httpd: Httpd,
  file: string,
  missing: readonly string[],
): Pick<Installation, "done" | "todo"> {
  const todo = missing.length > 0 ? [enablingCommand(httpd, missing)] : [];
  if (httpd.layout === "source") {
    todo.push(`at the end of ${httpd.configFile}:\nInclude "${file}"`);
  }
  return { done: [], todo };
}

function reloadCommand(httpd: Httpd): string {
  return httpd.layout === "source"
    ? `${dirname(httpd.binary)}/apachectl graceful`
    : "apachectl graceful";
}
