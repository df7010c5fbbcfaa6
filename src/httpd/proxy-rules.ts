/** Rules on directives of mod_proxy and mod_rewrite that take the addresses of handlers. */
import { type Host, isBelow, sampleOf, type Section, toRegExp } from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";

/** mod_proxy decides before any section, and no `SetHandler` changes that. */
export function checkProxies(config: MergedConfig): Finding[] {
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

/** Only a rule without conditions, before any other rule that matches, is certain. */
function findRewrite({ plain }: Host, uri: string): Directive | undefined {
  const engine = plain.findLast((each) => isNamed(each, "RewriteEngine"));
  if (!/^on$/i.test(engine?.args ?? "")) return undefined;
  let isConditional = false;
  for (const each of plain) {
    if (isNamed(each, "RewriteCond")) isConditional = true;
    if (!isNamed(each, "RewriteRule")) continue;
    const [pattern = "", , flags = ""] = splitWords(each.args);
    if (toRegExp(pattern.replace(/^!/, "")).test(uri) !== pattern.startsWith("!")) {
      return !isConditional && /[[,]P(?:[,\]]|roxy)/.test(flags) ? each : undefined;
    }
    isConditional = false;
  }
  return undefined;
}
