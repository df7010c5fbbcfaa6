/** Rules on files: what Apache serves by accident, and who may change its configuration. */
import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { attempt } from "../base/attempt.ts";
import { readStart } from "../base/files.ts";
import { type Host, isBelow, mappingsOf, sectionsFor, uriOf } from "./config-model.ts";
import { isNamed } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import type { MergedConfig } from "./merged-config.ts";

export interface SidecarDirectories {
  handlers: readonly string[];
}

export function checkFiles(config: MergedConfig, sidecar: SidecarDirectories): Finding[] {
  return [
    ...config.files.flatMap((file) => checkInclude(config, file, sidecar)),
    ...config.files.flatMap(checkWriters),
    ...config.hosts.flatMap((host) => checkHandlerDirectories(config, host, sidecar)),
    ...checkServedFiles(config),
  ];
}

function checkInclude(
  config: MergedConfig,
  file: string,
  { handlers }: SidecarDirectories,
): Finding[] {
  const findings: Finding[] = [];
  const uri = findPublicUri(config, file);
  if (uri !== undefined) {
    const what = `Apache serves its own configuration file ${file} at ${uri}`;
    const todo =
      "move it out of the directories that Apache serves, e.g. to those of its configuration";
    findings.push(problem("include-served", what, file, todo));
  }
  if (handlers.some((each) => isBelow(file, each))) {
    const what = `${file} lies where handlers are deployed: whoever deploys is root at the next reload of Apache, which does not start without the file`;
    const todo = "mod-ts conf --install copies it to Apache's directory";
    findings.push(problem("include-deployed", what, file, todo));
  }
  return findings;
}

/** Attack: `CustomLog "|command"` runs as root. */
function checkWriters(file: string): Finding[] {
  for (const path of [file, dirname(file)]) {
    const who = findWriter(path);
    if (who === undefined) continue;
    const what = `${who} may write ${path}, and so run commands as root at the next reload of Apache`;
    return [problem("include-writable", what, file, `chown root ${path}; chmod go-w ${path}`)];
  }
  return [];
}

/** A user or group other than root; a server that is not started by root belongs to its user. */
function findWriter(path: string): string | undefined {
  const { uid, gid, mode, isSticky } = statOf(path);
  if (process.geteuid?.() !== 0) return undefined;
  if (uid !== 0) return `user ${uid}`;
  if ((mode & 0o002) !== 0 && !isSticky) return "everybody";
  return (mode & 0o020) !== 0 && gid !== 0 && !isSticky ? `group ${gid}` : undefined;
}

function statOf(path: string): { uid: number; gid: number; mode: number; isSticky: boolean } {
  const { uid, gid, mode } = statSync(path);
  return { uid, gid, mode, isSticky: (mode & 0o1000) !== 0 };
}

/** Only `mod_ts.conf` hides sources there. */
function checkHandlerDirectories(
  config: MergedConfig,
  host: Host,
  { handlers }: SidecarDirectories,
): Finding[] {
  return handlers.flatMap((directory) => {
    const uri = uriOf(host, `${directory}/`);
    if (uri === undefined) return [];
    const target = { uri, file: `${directory}/` };
    // Publishers and pages live where Apache finds them.
    const isOurs = sectionsFor(host, target).some(({ section }) =>
      config.ours(section).some(({ kind }) => kind === "handler"),
    );
    if (isOurs || !config.isPublic(host, target)) return [];
    const mapping = mappingsOf(host).find(({ path }) => isBelow(directory, path));
    const what = `the handlers in ${directory} lie where Apache serves files (${uri}): only mod_ts.conf hides their sources, and other files are public`;
    const todo = "move them out, and keep only publishers and pages in served directories";
    return [problem("handlers-served", what, mapping && config.where(mapping.directive), todo)];
  });
}

function findPublicUri(config: MergedConfig, file: string): string | undefined {
  for (const host of config.hosts) {
    const uri = uriOf(host, file);
    if (uri !== undefined && config.isPublic(host, { uri, file })) return uri;
  }
  return undefined;
}

/** A directory of more files is not searched to its end. */
const mostFiles = 5000;

/** Secrets below served directories, and Python's sources beside publishers and pages. */
function checkServedFiles(config: MergedConfig): Finding[] {
  const seen = new Set<string>();
  return config.hosts.flatMap((host) =>
    mappingsOf(host).flatMap(({ path, directive }) =>
      [...filesBelow(path)].flatMap((file) => {
        const kind = describeSecret(file) ?? describeSource(config, host, file);
        if (kind === undefined || seen.has(file)) return [];
        const uri = uriOf(host, file);
        if (uri === undefined || !config.isPublic(host, { uri, file })) return [];
        seen.add(file);
        const what = `Apache serves ${kind} at ${uri}: ${file}`;
        const todo = "move it out of the directories that Apache serves";
        return [problem("file-served", what, config.where(directive), todo)];
      }),
    ),
  );
}

function* filesBelow(root: string): Generator<string> {
  const pending = [root];
  let count = 0;
  for (let directory = pending.shift(); directory !== undefined; directory = pending.shift()) {
    for (const entry of list(directory)) {
      if ((count += 1) > mostFiles) return;
      const path = join(directory, entry.name);
      if (entry.isFile()) yield path;
      else if (entry.isDirectory() && !/^(?:node_modules|\.git)$/.test(entry.name))
        pending.push(path);
    }
  }
}

function list(directory: string): Dirent[] {
  return attempt(() => readdirSync(directory, { withFileTypes: true }), []);
}

/** By content, as names alone mislead. */
function describeSecret(file: string): string | undefined {
  const name = basename(file);
  if (/\.(?:sqlite3?|db3?)$/i.test(name) && head(file).startsWith("SQLite format 3")) {
    return "a database";
  }
  if (
    /(?:\.(?:key|pem)|^id_[a-z0-9]+)$/i.test(name) &&
    /-----BEGIN [A-Z ]*PRIVATE KEY/.test(head(file))
  ) {
    return "a private key";
  }
  if (/^\.?htpasswd$/i.test(name) && /^[^:\s]+:[${]/m.test(head(file))) return "passwords";
  return undefined;
}

function head(file: string): string {
  return attempt(() => readStart(file, 1024).toString("latin1"), "");
}

/** Beside pages that only `<Files "*.tsp">` names: a handler would refuse the file. */
function describeSource(config: MergedConfig, host: Host, file: string): string | undefined {
  if (!/\.(?:py[co]?|psp)$/i.test(file) || mentionsPython(config)) return undefined;
  const handlersOf = (path: string): string[] =>
    sectionsFor(host, { uri: uriOf(host, path), file: path }).flatMap(({ section }) =>
      config.ours(section).flatMap(({ kind, value }) => (kind === "handler" ? [value] : [])),
    );
  if (handlersOf(file).length > 0) return undefined;
  const beside = handlersOf(`${dirname(file)}/`);
  const isPort = beside.some((value) => /\bmod_ts\/(?:publisher|pages)\b/.test(value));
  return isPort ? "the source of a Python program" : undefined;
}

/** A handler, or a rule that hides them. */
function mentionsPython({ tree }: MergedConfig): boolean {
  return tree.some((each) => {
    const isRule = isNamed(each, "AddHandler", "RewriteRule", "RedirectMatch", "AddType", "Action");
    return isRule && /py|psp/i.test(each.args);
  });
}
