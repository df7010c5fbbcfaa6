/** Rules on mod_cache, which answers before access control and handlers. */
import { type Host, isBelow, sampleOf, type Section } from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isOurs } from "./our-directives.ts";

export function checkCaches(config: MergedConfig): Finding[] {
  return config.sections.flatMap((section) => {
    const isGuarded = config.ours(section).some(isGuardLine);
    if (!isGuarded && !config.ours(section).some(({ kind }) => kind === "handler")) return [];
    return config.hostsOf(section).flatMap((host) => checkCache(config, section, host, isGuarded));
  });
}

/** Guarded pages are `Cache-Control: private`: nothing keeps them unless a line says otherwise. */
function checkCache(
  config: MergedConfig,
  section: Section,
  host: Host,
  isGuarded: boolean,
): Finding[] {
  const cache = findCache(host, section);
  if (!cache || isDisabled(config, section, host)) return [];
  const title = titleOf(section);
  const line = isGuarded ? findSharing(config, section, host) : undefined;
  if (line) {
    const what = `${line.name} ${line.args} with ${cache.name} ${cache.args}: pages of ${title} that one user has requested are served to everybody, and its guards are not asked`;
    const todo = `remove it, or add CacheDisable "${pathOf(section, host)}"`;
    return [problem("cache-shares", what, config.where(line), todo)];
  }
  const loss = isGuarded
    ? "a page for which a handler sets Cache-Control: public is served without asking the guards"
    : "a page that it keeps is served without the handler, its log and access phases";
  const what = `${cache.name} ${cache.args} comes before ${title}: ${loss}`;
  const todo = `ignore this if it is meant; otherwise CacheQuickHandler Off, or CacheDisable "${pathOf(section, host)}"`;
  return [problem("cache-first", what, config.where(cache), todo)];
}

function linesOf({ plain, main }: Host): Directive[] {
  return [...(main?.plain ?? []), ...plain];
}

/** Only lines of a server: before the sections are known, those of a `<Location>` do not count. */
function findCache(host: Host, section: Section): Directive | undefined {
  const lines = linesOf(host);
  const quick = lines.findLast((each) => isNamed(each, "CacheQuickHandler"));
  if (/^off$/i.test(quick?.args ?? "")) return undefined;
  const isCovered = (each: Directive): boolean => covers(each, 1, section, host);
  if (lines.some((each) => isNamed(each, "CacheDisable") && covers(each, 0, section, host)))
    return undefined;
  return lines.findLast((each) => isNamed(each, "CacheEnable") && isCovered(each));
}

function covers(line: Directive, at: number, section: Section, host: Host): boolean {
  const path = splitWords(line.args)[at] ?? "/";
  // A URL with a host is for a forward proxy.
  return path.startsWith("/") && isBelow(pathOf(section, host), path);
}

function pathOf(section: Section, host: Host): string {
  return sampleOf(section, host)?.uri ?? "/";
}

function isDisabled(config: MergedConfig, section: Section, host: Host): boolean {
  const sure = config.chain(section, host).filter(({ match }) => match === "yes");
  return sure.some((each) => config.last(each.section, "CacheDisable"));
}

/** A line that lets mod_cache keep private pages, or makes them public. */
function findSharing(config: MergedConfig, section: Section, host: Host): Directive | undefined {
  const sections = config.chain(section, host).filter(({ match }) => match === "yes");
  const lines = [...linesOf(host), ...sections.flatMap((each) => each.section.content)];
  return lines.findLast(
    (each) => !isOurs(each, config.confFile) && (isStore(each) || isPublic(each)),
  );
}

function isStore(line: Directive): boolean {
  return isNamed(line, "CacheStorePrivate") && /^on$/i.test(line.args);
}

/** `always`: the other headers of a response do not replace what the guards set. */
function isPublic(line: Directive): boolean {
  const [condition = "", action = "", name = "", value = ""] = splitWords(line.args);
  if (!isNamed(line, "Header") || !/^always$/i.test(condition)) return false;
  if (!/^cache-control$/i.test(name)) return false;
  if (/^unset$/i.test(action)) return true;
  return /^set$/i.test(action) && !/private|no-store/i.test(value);
}
