/**
 * What an httpd says of its own configuration, without being started.
 * @module
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Httpd } from "./find.ts";

/** What `httpd -t` and its relatives printed. */
export interface QueryResult {
  ok: boolean;
  /** Standard output and standard error. */
  text: string;
}

/** Runs httpd with its own configuration, or with `configFile`, e.g. with `-t` or `-M`. */
export function queryHttpd(
  httpd: Httpd,
  args: readonly string[],
  configFile?: string,
): Promise<QueryResult> {
  const config = configFile === undefined ? [] : ["-f", configFile];
  // Debian's configuration is made of variables that apachectl takes from this file, and its runtime folder is there only
  // while httpd runs.
  const variables = join(dirname(httpd.configFile), "envvars");
  const debian = `. "${variables}"; [ -d "$APACHE_RUN_DIR" ] || APACHE_RUN_DIR=/tmp; `;
  const script = `${existsSync(variables) ? debian : ""}exec "$@"`;
  return new Promise((resolve) => {
    execFile(
      "/bin/sh",
      ["-c", script, "sh", httpd.binary, ...config, ...args],
      { timeout: 20_000, maxBuffer: 16 * 1024 ** 2 },
      (error, stdout, stderr) => resolve({ ok: !error, text: `${stdout}${stderr}` }),
    );
  });
}

/** The modules in the order in which they are loaded, named as in `mod_headers`; undefined when the configuration has errors. */
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

/** The main configuration file and all that it includes; undefined when the configuration has errors. */
export async function includedFiles(
  httpd: Httpd,
  configFile?: string,
): Promise<string[] | undefined> {
  const { ok, text } = await queryHttpd(httpd, ["-t", "-D", "DUMP_INCLUDES"], configFile);
  if (!ok) return undefined;
  const files = [...text.matchAll(/^ +\((?:\*|\d+)\) (.+)$/gm)].map((match) => match[1] as string);
  return [...new Set(files)];
}
