/** Discovery of the Apache httpd of this machine, and of its layout. */
import { execFile } from "node:child_process";
import { constants, existsSync, readdirSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { attempt } from "../base/attempt.ts";
import { canAccess } from "../base/files.ts";

/**
 * Where configuration files go: `debian` has conf-available and a2enconf, `confd` reads every file
 * of a directory (Red Hat, SUSE, Alpine), `source` one httpd.conf (own builds, macOS, Arch, BSD).
 */
export type HttpdLayout = "debian" | "confd" | "source";

export interface Httpd {
  readonly binary: string;
  /** E.g. `2.4.71`. */
  readonly version: string;
  readonly layout: HttpdLayout;
  /** Base of relative paths in the configuration: `HTTPD_ROOT`. */
  readonly root: string;
  /** Absolute path of the main configuration file: `SERVER_CONFIG_FILE`. */
  readonly configFile: string;
  /** Of the `mod_*.so` files; undefined if not found. */
  readonly moduleDirectory: string | undefined;
  /** Static modules, e.g. `mod_so`. */
  readonly compiledIn: readonly string[];
  /** For configuration files of add-ons. */
  readonly confDirectory: string;
}

/** Searched after `PATH`, which often lacks `sbin` directories (cron, `su`, npm). */
const usualDirectories = [
  "/usr/sbin",
  "/usr/local/sbin",
  "/usr/local/apache2/bin",
  "/usr/local/bin",
  "/opt/homebrew/opt/httpd/bin",
  "/usr/local/opt/httpd/bin",
  "/usr/bin",
];

const usualNames = ["apache2", "httpd", "httpd2", "httpd-prefork"];

/** @param path by default the first `apache2` or `httpd` on `PATH` or in the usual directories */
export async function findHttpd(
  path?: string,
  searchPath: string = process.env["PATH"] ?? "",
): Promise<Httpd | undefined> {
  for (const binary of path === undefined ? candidates(searchPath) : [path]) {
    const httpd = await inspectHttpd(binary);
    if (httpd) return httpd;
  }
  return undefined;
}

/** Undefined if the binary is not Apache httpd 2.x. */
export async function inspectHttpd(binary: string): Promise<Httpd | undefined> {
  // Debian's apache2 exits with 1 without variables of apachectl; its output is complete.
  const [settings, modules] = await Promise.all([output(binary, "-V"), output(binary, "-l")]);
  const version = /^Server version: Apache\/(2\.\S+)/m.exec(settings)?.[1];
  const root = /-D HTTPD_ROOT="(.*)"/.exec(settings)?.[1];
  const file = /-D SERVER_CONFIG_FILE="(.*)"/.exec(settings)?.[1];
  if (version === undefined || root === undefined || file === undefined) return undefined;
  const configFile = isAbsolute(file) ? file : join(root, file);
  return {
    binary,
    version,
    root,
    configFile,
    ...layoutOf(configFile),
    moduleDirectory: findModuleDirectory(root),
    compiledIn: [...modules.matchAll(/^\s+(\w+)\.c$/gm)].map((match) => match[1] as string),
  };
}

/** Whether a module, e.g. `mod_headers`, is compiled in or can be loaded. */
export function hasModule(httpd: Httpd, name: string): boolean {
  return httpd.compiledIn.includes(name) || existsSync(modulePath(httpd, name));
}

/** Path of a module, which may not exist. */
export function modulePath(httpd: Httpd, name: string): string {
  return join(httpd.moduleDirectory ?? httpd.root, `${name}.so`);
}

function candidates(searchPath: string): string[] {
  const directories = new Set([
    ...searchPath.split(delimiter).filter(isAbsolute),
    ...usualDirectories,
  ]);
  return [...directories]
    .flatMap((directory) => usualNames.map((name) => join(directory, name)))
    .filter((path) => canAccess(path, constants.X_OK));
}

function layoutOf(configFile: string): Pick<Httpd, "layout" | "confDirectory"> {
  const directory = dirname(configFile);
  const available = join(directory, "conf-available");
  if (existsSync(available)) return { layout: "debian", confDirectory: available };
  // Red Hat: beside conf. SUSE and Alpine: inside the directory of httpd.conf.
  for (const confd of [join(directory, "conf.d"), join(dirname(directory), "conf.d")]) {
    if (existsSync(confd)) return { layout: "confd", confDirectory: confd };
  }
  return { layout: "source", confDirectory: join(directory, "extra") };
}

function findModuleDirectory(root: string): string | undefined {
  const places = [
    join(root, "modules"),
    "/usr/lib/apache2/modules",
    "/usr/lib64/apache2",
    "/usr/lib/apache2",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/local/libexec/apache24",
    "/usr/libexec/apache2",
    "/opt/homebrew/opt/httpd/lib/httpd/modules",
    "/usr/local/opt/httpd/lib/httpd/modules",
  ];
  return places.find((directory) => {
    const names = attempt(() => readdirSync(directory), []);
    return names.some((name) => name.startsWith("mod_"));
  });
}

function output(binary: string, option: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(binary, [option], { timeout: 10_000 }, (_, stdout) => resolve(stdout));
  });
}
