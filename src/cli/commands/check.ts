/** `mod-ts check`: diagnosis of the configuration, of Apache and of the running server. */
import type { ResolvedConfig } from "../../config/config.ts";
import { loadConfig } from "../../config/config-file.ts";
import { checkConfig, type SidecarFacts } from "../../httpd/check-config.ts";
import { checkSections } from "../../httpd/check-sections.ts";
import { type Finding, finding, formatFinding } from "../../httpd/finding.ts";
import { findHttpd } from "../../httpd/find.ts";
import { readMergedConfig } from "../../httpd/merged-config.ts";
import { probeGuards } from "../../httpd/probe-guards.ts";
import { probeServer } from "../../httpd/probe.ts";
import { prove } from "../../httpd/prove.ts";
import { exitOnSignals } from "../../base/scratch.ts";
import { originGuard } from "../../base/crypto.ts";
import { checkHandlers } from "../check/handlers.ts";
import { checkSecretFiles, checkSidecar, sidecarIdentity } from "../check/sidecar.ts";
import { checkTypes } from "../type-check/check-types.ts";
import { sidecarFacts } from "./apache-settings.ts";
import { parseCommand, UsageError } from "./command.ts";

export const usage = "check [directory] [--types] [--url <url>]";

export const summary = `Checks the configuration of Apache and of the sidecar, and tests their protection with requests.

Handlers and pages are type-checked if TypeScript is installed beside them.
The requests go to a temporary private Apache; with --url also to the running server.
Exit code 1 when a problem is found.`;

export const options = {
  types: { type: "boolean", description: "only configuration and types of the sidecar" },
  url: { type: "string", description: "URL of the running server, e.g. http://localhost/" },
  httpd: { type: "string", placeholder: "file", description: "httpd binary to check" },
  config: {
    type: "string",
    placeholder: "file",
    description: "main configuration file of httpd (default: its built-in path)",
  },
} as const;

/** Returns 1 if a problem was found. Throws `MODTS_CONFIG_INVALID`. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseCommand(options, argv);
  if (values.url !== undefined && !/^https?:\/\/./.test(values.url)) {
    throw new UsageError(`not an http or https URL: ${values.url}`);
  }
  // A monitor may end it at any time.
  exitOnSignals();
  const config = await loadConfig(positionals[0] ?? ".");
  const findings = [finding("ok", "configuration of the sidecar is valid", { where: config.file })];
  findings.push(...checkSecretFiles(config), ...(await checkTypes(config.handlers)));
  if (values.types === true) return print(findings);
  const httpd = await findHttpd(values.httpd ?? process.env["MOD_TS_HTTPD"]);
  const merged = httpd && (await readMergedConfig(httpd, values.config));
  findings.push(...(await checkSidecar(config, merged)));
  if (httpd) {
    findings.push(...(await checkConfig(httpd, configFacts(config), values.config)));
    findings.push(...(await proveOrExplain(() => prove(httpd))));
  } else {
    const todo = "install it, or pass its binary with --httpd";
    findings.push(finding("bad", "Apache httpd not found", { todo }));
  }
  if (merged) {
    findings.push(...checkSections(merged, sidecarFacts(config)));
    findings.push(...(await checkHandlers(merged, config, sidecarIdentity(config.run))));
  }
  if (values.url !== undefined) {
    findings.push(...(await probeServer(values.url)));
    if (merged) findings.push(...(await probeGuards(values.url, merged)));
  }
  return print(findings);
}

function configFacts(config: ResolvedConfig): SidecarFacts {
  const { name, limits, keepAlive, secret, origin } = config;
  const guard = origin && secret !== undefined && originGuard(secret);
  const callbacks = origin && guard ? { ...origin, guard } : undefined;
  return { name, headerBytes: limits.headerBytes, keepAlive, secret, origin: callbacks };
}

/** A private httpd that cannot start is a finding. */
async function proveOrExplain(proof: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await proof();
  } catch (error) {
    return [{ level: "bad", what: "private Apache did not start", todo: (error as Error).message }];
  }
}

function print(findings: readonly Finding[]): number {
  process.stdout.write(findings.map(formatFinding).join(""));
  const bad = findings.filter(({ level }) => level === "bad").length;
  const sum = bad === 0 ? "No problems" : bad === 1 ? "1 problem" : `${bad} problems`;
  process.stdout.write(`\n${sum} found.\n`);
  return bad === 0 ? 0 : 1;
}
