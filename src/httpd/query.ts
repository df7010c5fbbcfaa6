/** Queries of an httpd about its configuration, without starting it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasModule, type Httpd, modulePath } from "./find.ts";

export interface QueryResult {
  ok: boolean;
  /** Standard output and standard error. */
  text: string;
  stdout: string;
}

/** Runs httpd, e.g. with `-t` or `-M`, with its own configuration or `configFile`. */
export function queryHttpd(
  httpd: Httpd,
  args: readonly string[],
  configFile?: string,
): Promise<QueryResult> {
  const config = configFile === undefined ? [] : ["-f", configFile];
  // Debian's configuration uses variables of apachectl, and its run directory may be missing.
  const variables = join(dirname(httpd.configFile), "envvars");
  const debian = `. "${variables}"; [ -d "$APACHE_RUN_DIR" ] || APACHE_RUN_DIR=/tmp; `;
  const script = `${existsSync(variables) ? debian : ""}exec "$@"`;
  return new Promise((resolve) => {
    execFile(
      "/bin/sh",
      ["-c", script, "sh", httpd.binary, ...config, ...args],
      { timeout: 20_000, maxBuffer: 256 * 1024 ** 2 },
      (error, stdout, stderr) => resolve({ ok: !error, text: `${stdout}${stderr}`, stdout }),
    );
  });
}

/** Modules as loaded, e.g. `mod_headers`; undefined if the configuration is invalid. */
export async function loadedModules(
  httpd: Httpd,
  configFile?: string,
): Promise<string[] | undefined> {
  const { ok, text } = await queryHttpd(httpd, ["-M"], configFile);
  if (!ok) return undefined;
  return [...text.matchAll(/^ (\w+)_module \((?:static|shared)\)/gm)].map(
    (match) => `mod_${match[1]}`,
  );
}

/** The main configuration file and all includes; undefined if the configuration is invalid. */
export async function includedFiles(
  httpd: Httpd,
  configFile?: string,
): Promise<string[] | undefined> {
  const { ok, text } = await queryHttpd(httpd, ["-t", "-D", "DUMP_INCLUDES"], configFile);
  if (!ok) return undefined;
  const files = [...text.matchAll(/^ +\((?:\*|\d+)\) (.+)$/gm)].map((match) => match[1] as string);
  return [...new Set(files)];
}

/**
 * The merged configuration, for `parseConfigTree`; undefined if it is invalid, or without mod_info.
 * Contains the secret.
 */
export async function dumpConfig(httpd: Httpd, configFile?: string): Promise<string | undefined> {
  if (!hasModule(httpd, "mod_info")) return undefined;
  // The module prints the dump; a server rarely has it. A second LoadModule is only a warning.
  const isBuiltIn = httpd.compiledIn.includes("mod_info");
  const load = isBuiltIn ? [] : ["-C", `LoadModule info_module "${modulePath(httpd, "mod_info")}"`];
  const args = [...load, "-t", "-D", "DUMP_CONFIG"];
  const { ok, stdout } = await queryHttpd(httpd, args, configFile);
  return ok ? stdout : undefined;
}
