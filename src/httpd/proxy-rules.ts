/** Rules on directives of mod_proxy, mod_rewrite and mod_alias that take the addresses of sections. */
import {
  fileOf,
  type Host,
  isBelow,
  sampleOf,
  type Section,
  sectionsFor,
  toRegExp,
} from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { directiveOf, isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";

export function checkProxies(config: MergedConfig): Finding[] {
  return [
    ...checkProxied(config),
    ...config.sections.flatMap((section) => checkRedirected(config, section)),
  ];
}

/** mod_proxy decides before any section, and no `SetHandler` changes that. */
function checkProxied(config: MergedConfig): Finding[] {
  return config.sections.flatMap((section) => {
    const line = config.ours(section).find(({ kind }) => kind === "handler");
    if (!line) return [];
    const takers = config.hostsOf(section).map((host) => findTaker(section, host));
    // A section of the main server may be meant for the other hosts.
    if (takers.some((taker) => taker === undefined)) return [];
    const [taker] = takers;
    if (!taker) return [];
    const what = `${titleOf(section)} is never reached: ${taker.name} ${taker.args} sends its requests to another server (handler of ${line.where})`;
    const uri = sampleOf(section, section.host)?.uri ?? "/";
    const todo = isNamed(taker, "RewriteRule")
      ? `add before it: RewriteRule "^${uri}" - [L]`
      : `add before it: ProxyPass "${uri}" "!"`;
    return [problem("handler-behind-proxy", what, config.where(taker), todo)];
  });
}

function findTaker(section: Section, host: Host): Directive | undefined {
  const uri = sampleOf(section, host)?.uri;
  if (uri === undefined) return undefined;
  return findRewrite(host, uri) ?? findProxyPass(host, uri);
}

/** The first match wins, those of the virtual host come first. */
function findProxyPass({ plain, main }: Host, uri: string): Directive | undefined {
  const lines = [...plain, ...(main?.plain ?? [])].filter((each) =>
    isNamed(each, "ProxyPass", "ProxyPassMatch"),
  );
  const taker = lines.find((each) => matchesProxyPass(each, uri));
  return taker && splitWords(taker.args)[1] === "!" ? undefined : taker;
}

function matchesProxyPass(directive: Directive, uri: string): boolean {
  const [path = ""] = splitWords(directive.args);
  if (isNamed(directive, "ProxyPass")) return isBelow(uri, path);
  return toRegExp(path).test(uri);
}

function findRewrite(host: Host, uri: string): Directive | undefined {
  const rule = findRule(host, uri);
  return rule && hasFlag(rule, "P|Proxy") ? rule : undefined;
}

function hasFlag(rule: Directive, names: string): boolean {
  return new RegExp(`[[,\\s](?:${names})(?:=[^,\\]]*)?[,\\]]`, "i").test(
    splitWords(rule.args)[2] ?? "",
  );
}

/** Only a rule without conditions, before any other rule that matches, is certain. */
function findRule({ plain }: Host, uri: string): Directive | undefined {
  const engine = plain.findLast((each) => isNamed(each, "RewriteEngine"));
  if (!/^on$/i.test(engine?.args ?? "")) return undefined;
  let isConditional = false;
  for (const each of plain) {
    if (isNamed(each, "RewriteCond")) isConditional = true;
    if (!isNamed(each, "RewriteRule")) continue;
    const [pattern = ""] = splitWords(each.args);
    if (toRegExp(pattern.replace(/^!/, "")).test(uri) !== pattern.startsWith("!")) {
      return isConditional ? undefined : each;
    }
    isConditional = false;
  }
  return undefined;
}

/** The server's own rules come before all sections: the address is that of the target then. */
function checkRedirected(config: MergedConfig, section: Section): Finding[] {
  const lines = config.ours(section);
  const line = lines.find(({ kind }) => kind === "handler") ?? lines.find(isGuardLine);
  if (!line) return [];
  const takers = config.hostsOf(section).map((host) => findDetour(config, section, host));
  const [taker] = takers;
  if (!taker || takers.includes(undefined)) return [];
  const { name, args } = taker.line;
  // Where a guard is, a redirect of the browser shows nothing.
  if (isGuardLine(line) && taker.to === "elsewhere") return [];
  const effect =
    taker.to === "elsewhere"
      ? `${directiveOf(line)} (${line.where}) does not run for it`
      : `${taker.to} is served, without ${directiveOf(line)} (${line.where})`;
  const what = `${name} ${args} takes ${taker.uri} from ${titleOf(section)}: ${effect}`;
  const todo = isGuardLine(line)
    ? `guard ${taker.to} as well, or remove the line`
    : `remove the line, or exclude ${taker.uri} from it`;
  return [problem("address-taken", what, config.where(taker.line), todo)];
}

interface Detour {
  readonly line: Directive;
  readonly uri: string;
  /** A path of this host, or `elsewhere`. */
  readonly to: string;
}

function findDetour(config: MergedConfig, section: Section, host: Host): Detour | undefined {
  const uri = sampleOf(section, host)?.uri;
  if (uri === undefined) return undefined;
  const rule = findRule(host, uri);
  if (rule)
    return (
      findRewritten(config, section, host, rule, uri) ?? findInside(config, section, host, uri)
    );
  const line = [...host.plain, ...(host.main?.plain ?? [])].find((each) =>
    matchesRedirect(each, uri),
  );
  const target = line && targetOf(line, uri);
  if (!line) return findInside(config, section, host, uri);
  return isUpgrade(host, target) ? undefined : { line, uri, to: "elsewhere" };
}

/**
 * Lines of sections, which come after access control and before content. They matter to handlers
 * only: a guard has been asked.
 */
function findInside(
  config: MergedConfig,
  section: Section,
  host: Host,
  uri: string,
): Detour | undefined {
  if (!isHandled(config, section)) return undefined;
  const sure = config.chain(section, host).filter(({ match }) => match === "yes");
  const contents = sure.map((each) => each.section.content);
  const redirect = contents.flat().find((each) => redirectsAll(each, uri));
  if (redirect && !isUpgrade(host, withoutStatus(redirect).at(-1)))
    return { line: redirect, uri, to: "elsewhere" };
  const engine = contents.flat().findLast((each) => isNamed(each, "RewriteEngine"));
  if (!/^on$/i.test(engine?.args ?? "")) return undefined;
  // mod_rewrite uses the rules of the last section that has any of its directives.
  const rules = contents.findLast((content) =>
    content.some((each) => isNamed(each, "RewriteEngine", "RewriteRule")),
  );
  const rule = rules?.find((each) => isNamed(each, "RewriteCond", "RewriteRule"));
  return rule && isForAll(rule) ? findRewritten(config, section, host, rule, uri, true) : undefined;
}

/** What the pattern is compared with depends on the section; these match anything. */
function isForAll(rule: Directive): boolean {
  const [pattern = ""] = splitWords(rule.args);
  return isNamed(rule, "RewriteRule") && /^(?:\^|\.|\^?\.\*\$?|\^?\(\.\*\)\$?)$/.test(pattern);
}

/** In a section, `Redirect` needs no path. */
function redirectsAll(line: Directive, uri: string): boolean {
  if (!isNamed(line, ...redirects)) return false;
  const isOver = /^(?:gone|[45]\d\d)\b/i.test(line.args);
  return withoutStatus(line).length === (isOver ? 0 : 1) || matchesRedirect(line, uri);
}

function findRewritten(
  config: MergedConfig,
  section: Section,
  host: Host,
  line: Directive,
  uri: string,
  isInside = false,
): Detour | undefined {
  const [pattern = "", substitution = ""] = splitWords(line.args);
  if (hasFlag(line, "C|chain|S|skip|N|next") || (!isInside && hasFlag(line, "P|Proxy")))
    return undefined;
  if (hasFlag(line, isInside ? "F|forbidden|G|gone|H|Handler|P|Proxy" : "F|forbidden|G|gone"))
    return { line, uri, to: "elsewhere" };
  const to = expand(pattern, substitution, uri);
  if (to === undefined || to === uri || isUpgrade(host, substitution)) return undefined;
  const isAway = /^[a-z][\w+.-]*:/i.test(to);
  if (!isAway && !to.startsWith("/")) return undefined;
  const [path = ""] = to.split("?", 1);
  const isNewAddress = isInside || hasFlag(line, "R|redirect|PT|passthrough");
  // Without [PT] the file is another one, and the address stays: a <Location> applies.
  const target = { uri: isNewAddress ? path : uri, file: fileOf(host, path) };
  if (!isAway && sectionsFor(host, target).some((each) => each.section === section))
    return undefined;
  if (isAway || hasFlag(line, "R|redirect")) return { line, uri, to: "elsewhere" };
  return config.isPublic(host, target) || isHandled(config, section)
    ? { line, uri, to }
    : undefined;
}

function isHandled(config: MergedConfig, section: Section): boolean {
  return config.ours(section).some(({ kind }) => kind === "handler");
}

/** The substitution of a rule; undefined for `-`, variables and maps. */
function expand(pattern: string, substitution: string, uri: string): string | undefined {
  if (substitution === "-" || /%[{\d]|\$\{|\\/.test(substitution)) return undefined;
  const found = pattern.startsWith("!") ? null : toRegExp(pattern).exec(uri);
  return substitution.replaceAll(/\$(\d)/g, (_, number) => found?.[Number(number)] ?? "");
}

const redirects = ["Redirect", "RedirectMatch", "RedirectPermanent", "RedirectTemp"];

function matchesRedirect(line: Directive, uri: string): boolean {
  if (!isNamed(line, ...redirects)) return false;
  const [path = ""] = withoutStatus(line);
  return isNamed(line, "RedirectMatch") ? toRegExp(path).test(uri) : isBelow(uri, path);
}

function targetOf(line: Directive, uri: string): string | undefined {
  const [path = "", target] = withoutStatus(line);
  return target === undefined || isNamed(line, "RedirectMatch")
    ? target
    : target + uri.slice(path.length);
}

function withoutStatus(line: Directive): string[] {
  const words = splitWords(line.args);
  return /^(?:permanent|temp|seeother|gone|\d{3})$/i.test(words[0] ?? "") ? words.slice(1) : words;
}

/** From HTTP to HTTPS: the handler is that of the other virtual host. */
function isUpgrade({ plain }: Host, target: string | undefined): boolean {
  const hasTls = plain.some((each) => isNamed(each, "SSLEngine") && /^on$/i.test(each.args));
  return !hasTls && /^https:/i.test(target ?? "");
}
