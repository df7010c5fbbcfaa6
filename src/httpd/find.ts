/**
 * Finds the Apache httpd of this machine and says how it is laid out: every distribution names and places it differently.
 * @module
 */
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { basename, delimiter, dirname, isAbsolute, join } from "node:path";

/**
 * Where configuration files go: `debian` has conf-available and a2enconf, `confd` reads every file of a folder (Red Hat, SUSE,
 * Alpine), `source` reads one httpd.conf (a build of one's own, macOS, Arch, BSD).
 */
export type HttpdLayout = "debian" | "confd" | "source";

/** An Apache httpd on this machine. */
export interface Httpd {
  /** Absolute path of the program. */
  readonly binary: string;
  /** E.g. `2.4.71`. */
  readonly version: string;
  readonly layout: HttpdLayout;
  /** Folder that relative paths of the configuration start from. httpd: `HTTPD_ROOT`. */
  readonly root: string;
  /** Absolute path of the main configuration file. httpd: `SERVER_CONFIG_FILE`. */
  readonly configFile: string;
  /** Folder with the `mod_*.so` files; undefined when every module is compiled in, or the folder is nowhere to be found. */
  readonly moduleFolder: string | undefined;
  /** Modules that need no LoadModule, by source name without ending, e.g. `mod_so`. */
  readonly compiledIn: readonly string[];
  /** Where the configuration files of add-ons go. */
  readonly confFolder: string;
}

/** Where httpd lives when `PATH` does not say: cron jobs, `su` and npm often lack the `sbin` folders. */
const usualFolders = [
  "/usr/sbin",
  "/usr/local/sbin",
  "/usr/local/apache2/bin",
  "/usr/local/bin",
  "/opt/homebrew/opt/httpd/bin",
  "/usr/local/opt/httpd/bin",
  "/usr/bin",
];

const usualNames = ["apache2", "httpd", "httpd2", "httpd-prefork"];

/**
 * Finds httpd: `path` if given, else the first `apache2` or `httpd` on `PATH` and in the usual folders that is Apache 2.4.
 * Gives undefined when there is none.
 */
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

/** Asks one program what it is; undefined when it is no Apache httpd 2.x. */
export async function inspectHttpd(binary: string): Promise<Httpd | undefined> {
  // Debian's apache2 exits with 1 here, as its configuration needs variables that only apachectl sets; what -V says is complete.
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
    moduleFolder: findModuleFolder(root),
    compiledIn: [...modules.matchAll(/^\s+(\w+)\.c$/gm)].map((match) => match[1] as string),
  };
}

/** Whether httpd can use a module, named as in `mod_headers`: compiled in, or there to be loaded. */
export function hasModule(httpd: Httpd, name: string): boolean {
  return httpd.compiledIn.includes(name) || existsSync(modulePath(httpd, name));
}

/** Path of the file of a module, whether it is there or not. */
export function modulePath(httpd: Httpd, name: string): string {
  return join(httpd.moduleFolder ?? httpd.root, `${name}.so`);
}

function candidates(searchPath: string): string[] {
  const folders = new Set([...searchPath.split(delimiter).filter(isAbsolute), ...usualFolders]);
  return [...folders]
    .flatMap((folder) => usualNames.map((name) => join(folder, name)))
    .filter(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function layoutOf(configFile: string): Pick<Httpd, "layout" | "confFolder"> {
  const folder = dirname(configFile);
  const available = join(folder, "conf-available");
  if (existsSync(available)) return { layout: "debian", confFolder: available };
  // Red Hat: /etc/httpd/conf/httpd.conf beside conf.d. SUSE and Alpine: /etc/apache2/httpd.conf with conf.d inside.
  for (const confd of [join(folder, "conf.d"), join(dirname(folder), "conf.d")]) {
    if (existsSync(confd)) return { layout: "confd", confFolder: confd };
  }
  return { layout: "source", confFolder: join(folder, "extra") };
}

function findModuleFolder(root: string): string | undefined {
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
  return places.find((folder) => {
    try {
      return readdirSync(folder).some((name) => basename(name).startsWith("mod_"));
    } catch {
      return false;
    }
  });
}

function output(binary: string, option: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(binary, [option], { timeout: 10_000 }, (_, stdout) => resolve(stdout));
  });
}
