/** Requests without credentials for what guards protect, on a running httpd. */
import { type Host, sampleOf, type Section } from "./config-model.ts";
import { isNamed, splitWords } from "./config-tree.ts";
import { type Finding, finding, problem } from "./finding.ts";
import { isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isAsking } from "./our-directives.ts";
import { send } from "./probe.ts";
import { limitsOf, needsUser } from "./require-lines.ts";

/** A site may have thousands of sections; one request each must not be a load. */
const mostProbes = 50;

/** HEAD requests to guarded addresses of the virtual host of `url`. A server that is down has none. */
export async function probeGuards(url: string, config: MergedConfig): Promise<Finding[]> {
  const host = findHost(new URL(url), config);
  if (!host) return [];
  const guarded = config.sections.filter((section) => isGuarded(section, host, config));
  const byUri = new Map(guarded.map((section) => [sampleOf(section, host)?.uri ?? "", section]));
  const findings: Finding[] = [];
  let refused = 0;
  for (const [uri, section] of [...byUri].slice(0, mostProbes)) {
    const where = new URL(encodeURI(uri), url).href;
    const status = await send(where, { method: "HEAD" }).catch(() => 0);
    // probeServer() has reported it.
    if (status === 0) return findings;
    const found = judge(status, section, where, config);
    if (found) findings.push(found);
    else refused += 1;
  }
  if (refused > 0) {
    const what = `guarded addresses refuse a client without credentials (${refused})`;
    findings.push(finding("ok", what, { where: url }));
  }
  return findings;
}

/** Where httpd certainly asks a guard for every method. */
function isGuarded(section: Section, host: Host, config: MergedConfig): boolean {
  if (!config.ours(section).some(isAsking)) return false;
  if (section.host.main && section.host !== host) return false;
  if (sampleOf(section, host)?.uri === undefined) return false;
  if (limitsOf(section.content, config.confFile).length > 0) return false;
  const deciding = config.deciding(config.chain(section, host));
  return deciding !== undefined && needsUser(config.requires(deciding));
}

function judge(
  status: number,
  section: Section,
  where: string,
  config: MergedConfig,
): Finding | undefined {
  const names = config.ours(section).filter(isGuardLine);
  const guards = names.map(({ value }) => value).join(" ");
  if (status >= 500) {
    const what = `the guard of ${titleOf(section)} (${guards}) fails with status ${status}`;
    return problem("guard-failed", what, where, "see the log of the sidecar");
  }
  if (status >= 300 && status < 404 && status !== 304) return undefined;
  const what = `${titleOf(section)} responds to a client without credentials with status ${status}`;
  // These let nobody in without a password.
  if (/\bmod_ts\/(?:htpasswd|sql|login)\b/.test(guards)) {
    const todo = `Apache did not ask ${guards}: compare the configuration of the running httpd with the one on disk, and reload it`;
    return problem("guard-passed", what, where, todo);
  }
  return problem("guard-anonymous", what, where, `ignore this if ${guards} lets such clients in`);
}

/** As httpd chooses: by port, then by name, else the first. */
function findHost({ hostname, port, protocol }: URL, { hosts }: MergedConfig): Host | undefined {
  const [main, ...virtual] = hosts;
  if (virtual.length === 0) return main;
  const wanted = port || (protocol === "https:" ? "443" : "80");
  const candidates = virtual.filter(({ directive }) =>
    splitWords(directive?.args ?? "").some((each) => {
      const own = /:(\d+|\*)$/.exec(each)?.[1] ?? "*";
      return own === "*" || own === wanted;
    }),
  );
  return candidates.find((host) => isCalled(host, hostname)) ?? candidates[0];
}

function isCalled({ plain }: Host, hostname: string): boolean {
  return plain.some(
    (each) =>
      isNamed(each, "ServerName", "ServerAlias") &&
      splitWords(each.args).some((name) => name.replace(/:\d+$/, "").toLowerCase() === hostname),
  );
}
