/**
 * Rules on mod_cache, which answers before access control and all sections, or with
 * `CacheQuickHandler Off` after access control, in place of the content.
 */
import { type Host, isBelow, sampleOf, type Section } from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { directiveOf, isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isOurs, type OurDirective } from "./our-directives.ts";
import { beforeContent } from "./policy-rules.ts";

/** A section with our directives, in one host. */
interface Place {
  readonly config: MergedConfig;
  readonly section: Section;
  readonly host: Host;
  /** Sections that apply there for certain. */
  readonly chain: readonly Section[];
  readonly isGuarded: boolean;
  /** mod_cache answers before sections are known, which is the default. */
  readonly isQuick: boolean;
}

export function checkCaches(config: MergedConfig): Finding[] {
  return config.sections.flatMap((section) => {
    const isGuarded = config.ours(section).some(isGuardLine);
    if (!isGuarded && !config.ours(section).some(isHandler)) return [];
    return config.hostsOf(section).flatMap((host) => {
      const sure = config.chain(section, host).filter(({ match }) => match === "yes");
      const chain = sure.map((each) => each.section);
      return checkCache({
        config,
        section,
        host,
        chain,
        isGuarded,
        isQuick: hasQuickHandler(host),
      });
    });
  });
}

/** Guarded pages are `Cache-Control: private`: nothing keeps them unless a line says otherwise. */
function checkCache(place: Place): Finding[] {
  const cache = findCache(place);
  if (!cache) return [];
  const { config, section, isGuarded } = place;
  const title = titleOf(section);
  const line = isGuarded ? findSharing(place) : undefined;
  if (line) {
    const readers = place.isQuick
      ? "everybody, and its guards are not asked"
      : "all others whom its guards let in";
    const what = `${line.name} ${line.args} with ${cache.name} ${cache.args}: pages of ${title} that one user has requested are served to ${readers}`;
    return [problem("cache-shares", what, config.where(line), `remove it, or ${disable(place)}`)];
  }
  const loss = lossOf(place);
  if (loss === undefined) return [];
  const what = `${cache.name} ${cache.args} comes before ${title}: ${loss}`;
  const other = place.isQuick ? "CacheQuickHandler Off, or " : "";
  const todo = `ignore this if it is meant; otherwise ${other}${disable(place)}`;
  return [problem("cache-first", what, config.where(cache), todo)];
}

function lossOf({ config, section, chain, isGuarded, isQuick }: Place): string | undefined {
  if (isQuick)
    return isGuarded
      ? "a page for which a handler sets Cache-Control: public is served without asking the guards"
      : "a page that it keeps is served without the handler, its log and access phases";
  if (!config.ours(section).some(isHandler)) return undefined;
  const phase = chain
    .flatMap((each) => config.ours(each))
    .find(({ kind, via }) => via === "content" && beforeContent.test(kind));
  return phase && `a page that it keeps is served without ${directiveOf(phase)} (${phase.where})`;
}

function isHandler({ kind }: OurDirective): boolean {
  return kind === "handler";
}

function disable({ section, host }: Place): string {
  return `add CacheDisable "${pathOf(section, host)}" at server level`;
}

function linesOf({ plain, main }: Host): Directive[] {
  return [...(main?.plain ?? []), ...plain];
}

function hasQuickHandler(host: Host): boolean {
  const line = linesOf(host).findLast((each) => isNamed(each, "CacheQuickHandler"));
  return !/^off$/i.test(line?.args ?? "");
}

/** The quick handler knows no sections: their lines have no effect on it. */
function findCache({ config, section, host, chain, isQuick }: Place): Directive | undefined {
  const lines = linesOf(host);
  if (lines.some((each) => isNamed(each, "CacheDisable") && covers(each, 0, section, host)))
    return undefined;
  const inside = isQuick ? [] : chain;
  if (inside.some((each) => config.last(each, "CacheDisable"))) return undefined;
  return (
    lines.findLast((each) => isNamed(each, "CacheEnable") && covers(each, 1, section, host)) ??
    inside.map((each) => config.last(each, "CacheEnable")).findLast(Boolean)
  );
}

function covers(line: Directive, at: number, section: Section, host: Host): boolean {
  const path = splitWords(line.args)[at] ?? "/";
  // A URL with a host is for a forward proxy.
  return path.startsWith("/") && isBelow(pathOf(section, host), path);
}

function pathOf(section: Section, host: Host): string {
  return sampleOf(section, host)?.uri ?? "/";
}

/** A line that lets mod_cache keep private pages, or makes them public. */
function findSharing({ config, host, chain }: Place): Directive | undefined {
  const lines = [...linesOf(host), ...chain.flatMap(({ content }) => content)];
  return lines.findLast(
    (each) => !isOurs(each, config.confFile) && (isStore(each) || isPublic(each)),
  );
}

function isStore(line: Directive): boolean {
  return isNamed(line, "CacheStorePrivate") && /^on$/i.test(line.args);
}

/** `always`: the other headers of a response do not replace what the guards set. */
function isPublic(line: Directive): boolean {
  const [condition = "", action = "", name = "", ...values] = splitWords(line.args);
  if (!isNamed(line, "Header") || !/^always$/i.test(condition)) return false;
  if (!/^cache-control$/i.test(name)) return false;
  if (/^unset$/i.test(action)) return true;
  // The value of `edit` comes after its pattern.
  const value = values[/^edit\*?$/i.test(action) ? 1 : 0] ?? "";
  return /^(?:set|edit\*?)$/i.test(action) && !/private|no-store/i.test(value);
}
