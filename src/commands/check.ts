/**
 * `mod-ts check`: will it work, and is it safe?
 * @module
 */
import { loadConfig } from "../config-file.ts";
import { checkConfig } from "../httpd/check-config.ts";
import { findHttpd } from "../httpd/find.ts";
import type { Finding } from "../httpd/finding.ts";
import { probeServer } from "../httpd/probe.ts";
import { prove } from "../httpd/prove.ts";
import { originGuard } from "../secret.ts";
import { checkTypes } from "../type-check/check-types.ts";
import { parseCommand, UsageError } from "./command.ts";

export const usage = "check [folder] [--url <url>]";

export const summary = `Checks the configuration, Apache's and the sidecar's, and proves by requests that it is safe.

Handlers and pages are type-checked when TypeScript is installed beside them.
The requests go to a private Apache that lives for a second; with --url also to the server that runs.
Exit code 1 when something is bad.`;

export const options = {
  url: { type: "string", description: "address of the running server, e.g. http://localhost/" },
  httpd: { type: "string", placeholder: "file", description: "program of the httpd to check" },
  config: {
    type: "string",
    placeholder: "file",
    description: "main configuration file of httpd (default: the one that httpd knows)",
  },
} as const;

/** Gives 1 when a finding is bad. Throws `MODTS_CONFIG_INVALID`, with all mistakes. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  if (values.url !== undefined && !/^https?:\/\/./.test(values.url)) {
    throw new UsageError(`not a URL of http or https: ${values.url}`);
  }
  const config = await loadConfig(positionals[0] ?? ".");
  const findings: Finding[] = [
    { level: "ok", what: "the sidecar's configuration has no mistakes", where: config.file },
  ];
  findings.push(...(await checkTypes(config.handlers)));
  const httpd = await findHttpd(values.httpd ?? process.env["MOD_TS_HTTPD"]);
  if (httpd) {
    const { limits, keepAlive, secret } = config;
    const guard = config.origin && secret !== undefined && originGuard(secret);
    const origin = config.origin && guard ? { ...config.origin, guard } : undefined;
    const facts = { headerBytes: limits.headerBytes, keepAlive, secret, origin };
    findings.push(...(await checkConfig(httpd, facts, values.config)));
    findings.push(...(await proveOrExplain(() => prove(httpd))));
  } else {
    findings.push({
      level: "bad",
      what: "no Apache httpd found",
      todo: "install one, or name its program with --httpd",
    });
  }
  if (values.url !== undefined) findings.push(...(await probeServer(values.url)));
  return print(findings);
}

/** A private httpd that cannot start, for lack of a module, say, is a finding like any other. */
async function proveOrExplain(proof: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await proof();
  } catch (error) {
    return [
      { level: "bad", what: "no private Apache could be started", todo: (error as Error).message },
    ];
  }
}

function print(findings: readonly Finding[]): number {
  for (const { level, what, where, todo } of findings) {
    process.stdout.write(`${level.padEnd(4)}  ${what}\n`);
    if (level === "ok") continue;
    if (where !== undefined) process.stdout.write(`      where: ${where}\n`);
    if (todo !== undefined)
      process.stdout.write(`      to do: ${todo.replaceAll("\n", "\n             ")}\n`);
  }
  const bad = findings.filter(({ level }) => level === "bad").length;
  process.stdout.write(bad === 0 ? "\nAll is well.\n" : `\n${bad} to put right.\n`);
  return bad === 0 ? 0 : 1;
}
