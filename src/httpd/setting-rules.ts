/** Rules on single directives that weaken handlers and guards. */
import type { Host, Section } from "./config-model.ts";
import { type Directive, isNamed, splitWords, walk } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { directiveOf, isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isOurs, readAddresses, readOurs } from "./our-directives.ts";
import { grantsNothing } from "./require-lines.ts";

export function checkSettings(config: MergedConfig): Finding[] {
  const own = [...walk(config.tree)].filter((each) => !isOurs(each, config.confFile));
  return [
    ...own.flatMap((each) => [...checkSlashes(config, each), ...checkTarget(config, each)]),
    ...config.sections.flatMap((section) => [
      ...checkHost(config, section),
      ...checkDenied(config, section),
      ...checkReplaced(config, section),
      ...checkDav(config, section),
    ]),
    ...checkDebug(config),
  ];
}

/** `//private` is another path for whoever decides by path, and the same file for Apache. */
function checkSlashes(config: MergedConfig, line: Directive): Finding[] {
  if (!isNamed(line, "MergeSlashes") || !/^off$/i.test(line.args)) return [];
  if (!config.lines.some(isGuardLine)) return [];
  const what =
    "MergeSlashes Off: guards that decide by path see // where Apache serves the same file";
  return [problem("merge-slashes", what, config.where(line), "remove it")];
}

/** The sidecar refuses requests without a context. */
function checkTarget(config: MergedConfig, line: Directive): Finding[] {
  if (!isNamed(line, "ProxyPass", "ProxyPassMatch")) return [];
  const { pools } = readAddresses(config.tree, config.confFile);
  const target = splitWords(line.args).find((word) =>
    pools.some(({ address }) => word.startsWith(address)),
  );
  if (target === undefined) return [];
  const what = `${line.name} to the sidecar (${target}): it refuses the requests, because no handler is named`;
  return [problem("proxy-to-sidecar", what, config.where(line), "use TsHandler in a <Location>")];
}

/** The origin of a WebSocket is compared with the host. */
function checkHost(config: MergedConfig, section: Section): Finding[] {
  if (!isHandled(config, section)) return [];
  // The macro has a line of its own; the last one counts.
  const line = section.content.findLast((each) => isNamed(each, "ProxyPreserveHost"));
  if (!line || !/^off$/i.test(line.args)) return [];
  const what = `ProxyPreserveHost Off in ${titleOf(section)}: handlers see the name of the pool as host, and refuse WebSockets`;
  return [problem("preserve-host", what, config.where(line), "remove it")];
}

/** Distributions deny `/`: a directory outside of the document root needs a line of its own. */
function checkDenied(config: MergedConfig, section: Section): Finding[] {
  if (!isHandled(config, section)) return [];
  const found = config.hostsOf(section).map((host) => {
    const chain = config.chain(section, host);
    const deciding = config.deciding(chain);
    if (!deciding || deciding === section || deciding.kind !== "directory") return undefined;
    const requires = config.requires(deciding);
    return requires.length > 0 && grantsNothing(requires) ? deciding : undefined;
  });
  const [deciding] = found;
  if (!deciding || found.includes(undefined)) return [];
  const line = config.ours(section).find(({ kind }) => kind === "handler");
  const what = `${titleOf(section)} is 403: Require all denied of ${titleOf(deciding)} applies`;
  const todo = "add Require all granted, or the lines of a guard";
  return [problem("handler-denied", what, line?.where, todo)];
}

/** `SetHandler` behind a `TsHandler`, in the same section or in a later one of the same path. */
function checkReplaced(config: MergedConfig, section: Section): Finding[] {
  if (!isHandled(config, section) || config.ours(section).some(({ kind }) => isFirst.test(kind)))
    return [];
  const handler = config.ours(section).find(({ kind }) => kind === "handler");
  const lines = config.hostsOf(section).map((host) => findReplacement(config, section, host));
  const [line] = lines;
  if (!line || lines.includes(undefined)) return [];
  const what = `SetHandler ${line.args} takes ${titleOf(section)} from TsHandler ${handler?.value} (${handler?.where})`;
  return [problem("handler-replaced", what, config.where(line), "remove one of the two lines")];
}

/** With them, `TsHandler` comes before every `SetHandler`. */
const isFirst = /^(?:trans|init|headerparser|type|fixup|module|(?:in|out)putfilter)$/;

function findReplacement(
  config: MergedConfig,
  section: Section,
  host: Host,
): Directive | undefined {
  const chain = config.chain(section, host).map((each) => each.section);
  const same = chain.slice(chain.indexOf(section)).filter((each) => isSamePath(each, section));
  const lines = same.flatMap(({ content }) => content);
  const at = lines.findLastIndex((each) =>
    readOurs([each], config.confFile).some(({ kind }) => kind === "handler"),
  );
  return lines
    .slice(at + 1)
    .findLast(
      (each) =>
        isNamed(each, "SetHandler") &&
        !isOurs(each, config.confFile) &&
        !each.args.includes("MOD_TS_"),
    );
}

function isSamePath(one: Section, other: Section): boolean {
  if (one === other) return true;
  const isPlain = !one.outer && !other.outer && typeof one.pattern === "string";
  return isPlain && one.kind === other.kind && one.pattern === other.pattern;
}

/** mod_dav takes its methods after all sections, whatever handler they name. */
function checkDav(config: MergedConfig, section: Section): Finding[] {
  const line = config.ours(section).find(({ kind }) => isRun.test(kind));
  if (!line || section.kind === "if") return [];
  const lines = config.hostsOf(section).map((host) => findDav(config, section, host));
  const [dav] = lines;
  if (!dav || lines.includes(undefined)) return [];
  const happens = isHandled(config, section)
    ? "mod_dav answers all methods except GET and POST, without the handler"
    : "methods of WebDAV are refused with 400";
  const what = `DAV ${dav.args} applies to ${titleOf(section)} beside ${directiveOf(line)}: ${happens}`;
  const todo = "DAV Off there, or guard the section with access, authen and authz handlers only";
  return [problem("dav-beside-handler", what, config.where(dav), todo)];
}

/** Guards work with WebDAV. */
const isRun = /^(?:trans|init|headerparser|type|fixup|handler|module|(?:in|out)putfilter)$/;

function findDav(config: MergedConfig, section: Section, host: Host): Directive | undefined {
  const sure = config.chain(section, host).filter(({ match }) => match === "yes");
  const dav = sure.flatMap((each) => config.last(each.section, "DAV") ?? []).at(-1);
  return dav && !/^off$/i.test(dav.args) ? dav : undefined;
}

function isHandled(config: MergedConfig, section: Section): boolean {
  return config.ours(section).some(({ kind }) => kind === "handler");
}

function checkDebug(config: MergedConfig): Finding[] {
  return config.lines.flatMap(({ kind, value, where }) => {
    if (kind !== "debug" || !/^on$/i.test(value)) return [];
    const what = "TsDebug On: errors show file names, stacks and source to every client";
    return [problem("debug-on", what, where, "remove it in production")];
  });
}
