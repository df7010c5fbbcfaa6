/**
 * Judges the configuration of an httpd: is everything there that mod_ts needs, and nothing that undoes its protection?
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import type { Httpd } from "./find.ts";
import type { Finding } from "./finding.ts";
import { enablingCommand, neededModules } from "./modules.ts";
import { includedFiles, loadedModules, queryHttpd } from "./query.ts";

/** What the sidecar is configured to. */
export interface SidecarFacts {
  /** Bytes of a request's header block that the sidecar takes. */
  headerBytes: number;
  /** Milliseconds that it keeps an idle connection. */
  keepAlive: number;
  secret: string | undefined;
  /** What the sidecar believes of the Apache that it calls back; undefined: it never does. */
  origin: CallBackFacts | undefined;
}

/** See `origin` of the configuration. */
export interface CallBackFacts {
  requestWorkers: number;
  clientHeader?: string | undefined;
  /** What `MOD_TS_ORIGIN` must be. */
  guard: string;
}

/** One line of a configuration file. */
interface Line {
  file: string;
  number: number;
  text: string;
}

/** All findings on the configuration of `httpd`, or on `configFile` in its place. */
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
  // With a mistake in the configuration httpd says nothing more: the message names the first thing to do.
  if (!modules || !files) return findings;
  const lines = files.flatMap(readLines);
  return [
    ...findings,
    ...checkModules(httpd, modules, where),
    ...checkIncluded(lines),
    ...checkTrace(lines),
    ...checkLimits(lines, sidecar),
    ...checkSecret(lines, sidecar, modules),
    ...checkCallBack(lines, sidecar),
  ];
}

function checkVersion({ version, binary }: Httpd): Finding {
  const what = `Apache httpd ${version}`;
  const [, minor = 0, patch = 0] = version.split(".").map(Number);
  const old = minor < 4 || (minor === 4 && patch < 47);
  if (!old) return { level: "ok", what, where: binary };
  return { level: "bad", what, where: binary, todo: "mod_ts needs 2.4.47 or newer" };
}

function checkSyntax({ ok, text }: { ok: boolean; text: string }, where: string): Finding {
  if (ok) return { level: "ok", what: "httpd -t: the configuration has no mistakes", where };
  return { level: "bad", what: "httpd -t fails", where, todo: text.trim() };
}

function checkModules(httpd: Httpd, loaded: readonly string[], where: string): Finding[] {
  const missing = neededModules.filter(({ name }) => !loaded.includes(name));
  const findings = missing.map(({ name, why, required }): Finding => ({
    level: required ? "bad" : "note",
    what: `${name} is not loaded: it ${why}`,
    where,
    todo: enablingCommand(httpd, [name]),
  }));
  if (missing.length === 0) findings.push({ level: "ok", what: "all modules are loaded", where });
  const [headers, dir] = [loaded.indexOf("mod_headers"), loaded.indexOf("mod_dir")];
  if (headers >= 0 && dir > headers) {
    findings.push({
      level: "bad",
      what: "mod_headers is loaded before mod_dir: a page found by DirectoryIndex comes without context and is refused with 403",
      where,
      todo: "move the line LoadModule dir_module above LoadModule headers_module",
    });
  }
  return findings;
}

function checkIncluded(lines: readonly Line[]): Finding[] {
  const line = lines.find(({ text }) => /^<Macro TsHandler\b/i.test(text));
  if (line) return [{ level: "ok", what: "mod_ts.conf is included", where: line.file }];
  return [{ level: "bad", what: "mod_ts.conf is not included", todo: "mod-ts conf --install" }];
}

/** TRACE shows the client what httpd added to its request; a <VirtualHost> can turn it on again. */
function checkTrace(lines: readonly Line[]): Finding[] {
  return directives(lines, "TraceEnable")
    .filter(({ value }) => !/^off$/i.test(value))
    .map(({ line, value }) => ({
      level: "bad",
      what: `TraceEnable ${value}: a TRACE request can show the shared secret`,
      where: place(line),
      todo: "TraceEnable off",
    }));
}

/** What fits through Apache should fit through the sidecar, or large requests get a 431 that nobody expects. */
function checkLimits(lines: readonly Line[], { headerBytes, keepAlive }: SidecarFacts): Finding[] {
  const findings: Finding[] = [];
  const field = largest(lines, "LimitRequestFieldSize", 8190);
  const requestLine = largest(lines, "LimitRequestLine", 8190);
  // The request line travels as line, file, and URI with query, each in base64, and once more as the target.
  const needed = field + Math.ceil(requestLine * 5);
  if (needed > headerBytes) {
    findings.push({
      level: "bad",
      what: `a request line of ${requestLine} bytes and a field of ${field} bytes, which Apache allows, need ${needed} bytes of header; the sidecar takes ${headerBytes}`,
      where: "LimitRequestLine, LimitRequestFieldSize",
      todo: `limits: { headerBytes: ${needed} } in mod-ts.config.ts, or lower limits in Apache`,
    });
  }
  const ttl = largest(lines, "Define MOD_TS_TTL", 0);
  if (ttl * 2000 > keepAlive) {
    findings.push({
      level: "bad",
      what: `Apache keeps idle connections for ${ttl} s, the sidecar for ${keepAlive / 1000} s: a request sent just then is a 502`,
      where: "MOD_TS_TTL, keepAlive",
      todo: `keepAlive: ${ttl * 2000} in mod-ts.config.ts, or Define MOD_TS_TTL ${Math.floor(keepAlive / 2000)}`,
    });
  }
  return findings;
}

function checkSecret(
  lines: readonly Line[],
  { secret }: SidecarFacts,
  modules: readonly string[],
): Finding[] {
  const defined = directives(lines, "Define MOD_TS_SECRET");
  if (defined.length === 0) {
    if (secret === undefined) return [];
    return [
      {
        level: "bad",
        what: "the sidecar wants a secret and mod_ts.conf has none",
        todo: "mod-ts conf --install --force",
      },
    ];
  }
  const findings = defined.flatMap(({ line, value }) => checkSecretLine(line, value, secret));
  if (modules.includes("mod_info")) {
    findings.push({
      level: "note",
      what: "mod_info is loaded: a page with SetHandler server-info shows the secret",
      todo: "a2dismod info, or protect that page",
    });
  }
  return findings;
}

/** A call back that Apache does not take for one is a 502. */
function checkCallBack(lines: readonly Line[], { origin }: SidecarFacts): Finding[] {
  if (!origin) return [];
  const findings: Finding[] = [];
  const defined = directives(lines, "Define MOD_TS_ORIGIN").at(-1);
  if (defined?.value.replaceAll('"', "") !== origin.guard) {
    findings.push({
      level: "bad",
      what: defined
        ? "MOD_TS_ORIGIN is not what the secret gives"
        : "the sidecar calls Apache back (origin), and mod_ts.conf has no MOD_TS_ORIGIN",
      todo: "mod-ts conf --install --force",
      ...(defined && { where: place(defined.line) }),
    });
  }
  const own = origin.clientHeader === undefined;
  const foreign = directives(lines, "RemoteIPHeader").filter(
    ({ value }) => !value.startsWith("Mod-Ts-Client-"),
  );
  for (const { line, value } of own ? foreign : []) {
    findings.push({
      level: "bad",
      what: `RemoteIPHeader ${value}: an httpd reads one such header, and call backs bring another`,
      where: place(line),
      todo: `origin: { clientHeader: "${value}" } in mod-ts.config.ts, then mod-ts conf --install --force, and RemoteIPInternalProxy 127.0.0.1`,
    });
  }
  const [least] = directives(lines, "MaxRequestWorkers").toSorted(
    (one, other) => Number(one.value) - Number(other.value),
  );
  if (least && Number(least.value) < origin.requestWorkers) {
    findings.push({
      level: "bad",
      what: `MaxRequestWorkers ${least.value}: the sidecar counts on ${origin.requestWorkers}, and call backs can take the last thread`,
      where: place(least.line),
      todo: `origin: { requestWorkers: ${least.value} } in mod-ts.config.ts`,
    });
  }
  return findings;
}

function checkSecretLine(line: Line, value: string, secret: string | undefined): Finding[] {
  const findings: Finding[] = [];
  const where = place(line);
  if (secret !== undefined && value.replaceAll('"', "") !== secret) {
    findings.push({
      level: "bad",
      what: "the secrets of Apache and the sidecar differ",
      where,
      todo: "mod-ts conf --install --force",
    });
  }
  if ((statSync(line.file).mode & 0o004) !== 0) {
    findings.push({
      level: "bad",
      what: "everybody on this machine can read the secret",
      where,
      todo: `chmod o-r ${line.file}`,
    });
  }
  return findings;
}

function directives(lines: readonly Line[], name: string): { line: Line; value: string }[] {
  const pattern = new RegExp(`^${name.replace(" ", "\\s+")}\\s+(.+)$`, "i");
  return lines.flatMap((line) => {
    const value = pattern.exec(line.text)?.[1];
    return value === undefined ? [] : [{ line, value: value.trim() }];
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

function place({ file, number }: Line): string {
  return `${file}:${number}`;
}
