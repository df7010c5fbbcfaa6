/** Diagnosis of an httpd's configuration: what mod_ts needs and what undoes its protection. */
import { readFileSync, statSync } from "node:fs";
import { splitWords } from "./config-tree.ts";
import { hasModule, type Httpd } from "./find.ts";
import { type Finding, finding, problem } from "./finding.ts";
import { enablingCommand, neededModules } from "./modules.ts";
import { includedFiles, loadedModules, queryHttpd } from "./query.ts";

export interface SidecarFacts {
  /** Where Apache has several. @default none: that of `mod_ts.conf` itself */
  name?: string;
  headerBytes: number;
  keepAlive: number;
  secret: string | undefined;
  /** Undefined without callbacks. */
  origin: CallbackFacts | undefined;
}

export interface CallbackFacts {
  requestWorkers: number;
  clientHeader?: string | undefined;
  /** Expected value of `MOD_TS_ORIGIN`. */
  guard: string;
}

interface Line {
  file: string;
  number: number;
  text: string;
}

/** Findings on the configuration of `httpd`, or on `configFile` instead. */
export async function checkConfig(
  httpd: Httpd,
  sidecar: SidecarFacts,
  configFile?: string,
): Promise<Finding[]> {
  const where = configFile ?? httpd.configFile;
  const syntax = await queryHttpd(httpd, ["-t"], configFile);
  const findings = [checkVersion(httpd), checkSyntax(syntax, where)];
  const modules = await loadedModules(httpd, configFile);
  const files = await includedFiles(httpd, configFile);
  // For an invalid configuration, httpd reports only its first error.
  if (!modules || !files) return findings;
  const lines = files.flatMap(readLines);
  return [
    ...findings,
    ...checkModules(httpd, modules, where, sidecar.origin !== undefined),
    checkIncluded(lines),
    ...checkTrace(lines),
    ...checkLimits(lines, sidecar),
    ...checkSecret(lines, sidecar, modules),
    ...checkCallbacks(lines, sidecar),
  ];
}

function checkVersion({ version, binary: where }: Httpd): Finding {
  const what = `Apache httpd ${version}`;
  const [, minor = 0, patch = 0] = version.split(".").map(Number);
  const old = minor < 4 || (minor === 4 && patch < 47);
  if (!old) return finding("ok", what, { where });
  return finding("bad", `${what} is too old`, { where, todo: "upgrade to 2.4.47 or newer" });
}

function checkSyntax({ ok, text }: { ok: boolean; text: string }, where: string): Finding {
  if (ok) return finding("ok", "httpd -t: syntax is valid", { where });
  return finding("bad", "httpd -t fails", { where, todo: text.trim() });
}

function checkModules(
  httpd: Httpd,
  loaded: readonly string[],
  where: string,
  hasOrigin: boolean,
): Finding[] {
  const missing = neededModules.filter(
    ({ name, setting }) => !loaded.includes(name) && (setting !== "origin" || hasOrigin),
  );
  const findings = missing.map(({ name, why, required }) =>
    finding(required ? "bad" : "note", `${name} is not loaded; it ${why}`, {
      where,
      todo: enablingCommand(httpd, [name]),
    }),
  );
  if (!hasModule(httpd, "mod_info")) {
    const what = "sections are not checked: httpd needs mod_info to print its configuration";
    findings.push(problem("dump-missing", what, where, "install mod_info; it need not be loaded"));
  }
  if (missing.length === 0) findings.push(finding("ok", "all modules are loaded", { where }));
  const [headers, dir] = [loaded.indexOf("mod_headers"), loaded.indexOf("mod_dir")];
  if (headers >= 0 && dir > headers) {
    const what =
      "mod_headers is loaded before mod_dir: pages found by DirectoryIndex lack the context and are 403";
    const todo = "move the line LoadModule dir_module above LoadModule headers_module";
    findings.push(finding("bad", what, { where, todo }));
  }
  return findings;
}

function checkIncluded(lines: readonly Line[]): Finding {
  const line = lines.find(({ text }) => /^<Macro TsHandler\b/i.test(text));
  if (line) return finding("ok", "mod_ts.conf is included", { where: line.file });
  return finding("bad", "mod_ts.conf is not included", { todo: "mod-ts conf --install" });
}

/** Attack: TRACE echoes the headers that httpd added; a <VirtualHost> can turn it on again. */
function checkTrace(lines: readonly Line[]): Finding[] {
  return directives(lines, "TraceEnable")
    .filter(({ value }) => !/^off$/i.test(value))
    .map(({ where, value }) => {
      const what = `TraceEnable ${value}: a TRACE response can contain the shared secret`;
      return finding("bad", what, { where, todo: "TraceEnable off" });
    });
}

/** Otherwise a request that Apache accepts would be an unexpected 431. */
function checkLimits(lines: readonly Line[], { headerBytes, keepAlive }: SidecarFacts): Finding[] {
  const findings: Finding[] = [];
  const field = largest(lines, "LimitRequestFieldSize", 8190);
  const requestLine = largest(lines, "LimitRequestLine", 8190);
  // The request line is sent as line, file, and URI with query, each in base64, and as the target.
  const needed = field + Math.ceil(requestLine * 5);
  if (needed > headerBytes) {
    const what = `request headers within Apache's limits can need ${needed} bytes; the limit of the sidecar is ${headerBytes}`;
    findings.push(
      finding("bad", what, {
        where: `LimitRequestLine ${requestLine}, LimitRequestFieldSize ${field}`,
        todo: `limits: { headerBytes: ${needed} } in mod-ts.config.ts, or lower limits in Apache`,
      }),
    );
  }
  const ttl = largest(lines, "Define MOD_TS_TTL", 0);
  if (ttl * 2000 > keepAlive) {
    const what = `Apache keeps idle connections for ${ttl} s, the sidecar for ${keepAlive / 1000} s: a request on a connection that is being closed is 502`;
    findings.push(
      finding("bad", what, {
        where: "MOD_TS_TTL, keepAlive",
        todo: `keepAlive: ${ttl * 2000} in mod-ts.config.ts, or Define MOD_TS_TTL ${Math.floor(keepAlive / 2000)}`,
      }),
    );
  }
  return findings;
}

const reinstall = "mod-ts conf --install --force";

function checkSecret(
  lines: readonly Line[],
  { secret, name = "" }: SidecarFacts,
  modules: readonly string[],
): Finding[] {
  const defined = name === "" ? mainSecrets(lines) : secretsOf(name, lines);
  if (defined.length === 0) {
    if (secret === undefined) return [];
    const line = name === "" ? "MOD_TS_SECRET" : `Use TsAddSidecar ${name}`;
    const what = `${line} is missing in Apache's configuration; the sidecar requires its secret`;
    return [finding("bad", what, { todo: reinstall })];
  }
  const findings = defined.flatMap((line) => checkSecretLine(line, secret));
  if (modules.includes("mod_info")) {
    const what = "mod_info is loaded: a page with SetHandler server-info shows the secret";
    findings.push(finding("note", what, { todo: "do not load mod_info, or protect that page" }));
  }
  return findings;
}

/** `mod_ts.conf` itself defines "-" by default. */
function mainSecrets(lines: readonly Line[]): Directive[] {
  return directives(lines, "Define MOD_TS_SECRET").filter(({ value }) => value !== "-");
}

function secretsOf(name: string, lines: readonly Line[]): Directive[] {
  return directives(lines, "Use TsAddSidecar").flatMap((line) => {
    const [sidecar, , value] = splitWords(line.value);
    return sidecar === name && value !== undefined ? [{ ...line, value }] : [];
  });
}

function checkSecretLine({ file, where, value }: Directive, secret: string | undefined): Finding[] {
  const findings: Finding[] = [];
  if (secret !== undefined && value.replaceAll('"', "") !== secret) {
    const what = "the secret in Apache's configuration differs from that of the sidecar";
    findings.push(finding("bad", what, { where, todo: reinstall }));
  }
  if ((statSync(file).mode & 0o004) !== 0) {
    const what = "the file with the secret is world-readable";
    findings.push(finding("bad", what, { where, todo: `chmod o-r ${file}` }));
  }
  return findings;
}

/** A callback that Apache does not recognize is a 502. */
function checkCallbacks(lines: readonly Line[], { name = "", origin }: SidecarFacts): Finding[] {
  if (!origin) return [];
  const findings: Finding[] = [];
  const line = name === "" ? "Define MOD_TS_ORIGIN" : `Use TsAddCallbacks ${name}`;
  const defined = directives(lines, line).at(-1);
  if (defined?.value.replaceAll('"', "") !== origin.guard) {
    const what = `${line.replace("Define ", "")} ${defined ? "does not match the secret" : "is missing in Apache's configuration"}: callbacks (origin) are rejected`;
    findings.push(finding("bad", what, { where: defined?.where, todo: reinstall }));
  }
  const foreign = directives(lines, "RemoteIPHeader").filter(
    ({ value }) => !value.startsWith("Mod-Ts-Client-"),
  );
  for (const { where, value } of origin.clientHeader === undefined ? foreign : []) {
    const what = `RemoteIPHeader ${value}: httpd reads only one such header, and callbacks send another`;
    const todo = `origin: { clientHeader: "${value}" } in mod-ts.config.ts, then ${reinstall}, and RemoteIPInternalProxy 127.0.0.1`;
    findings.push(finding("bad", what, { where, todo }));
  }
  const [least] = directives(lines, "MaxRequestWorkers").toSorted(
    (one, other) => Number(one.value) - Number(other.value),
  );
  if (least && Number(least.value) < origin.requestWorkers) {
    const what = `MaxRequestWorkers ${least.value} is below the ${origin.requestWorkers} of the sidecar: callbacks can take the last thread`;
    const todo = `origin: { requestWorkers: ${least.value} } in mod-ts.config.ts`;
    findings.push(finding("bad", what, { where: least.where, todo }));
  }
  return findings;
}

interface Directive {
  file: string;
  /** `file:line`. */
  where: string;
  value: string;
}

function directives(lines: readonly Line[], name: string): Directive[] {
  const pattern = new RegExp(`^${name.replaceAll(" ", "\\s+")}\\s+(.+)$`, "i");
  return lines.flatMap(({ file, number, text }) => {
    const value = pattern.exec(text)?.[1];
    return value === undefined ? [] : [{ file, where: `${file}:${number}`, value: value.trim() }];
  });
}

function largest(lines: readonly Line[], name: string, otherwise: number): number {
  const values = directives(lines, name).map(({ value }) => Number(value));
  return values.length === 0 ? otherwise : Math.max(...values.filter(Number.isFinite));
}

function readLines(file: string): Line[] {
  const texts = readFileSync(file, "utf8").split("\n");
  return texts.map((text, index) => ({ file, number: index + 1, text: text.trim() }));
}
