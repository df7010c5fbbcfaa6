/** Rules on the lines for the sidecar: phases that never run, passwords, options, `.htaccess`. */
import { holdsPassword } from "../base/options.ts";
import type { AppliedSection, Section } from "./config-model.ts";
import { isNamed, splitWords, walk } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { directiveOf, isGuardLine, sectionsInside } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import type { OurDirective } from "./our-directives.ts";

export function checkPolicies(config: MergedConfig): Finding[] {
  return [
    ...checkPasswords(config),
    ...config.sections.flatMap((section) => [
      ...checkMixed(config, section),
      ...checkPhases(config, section),
      ...checkBoundOptions(config, section),
      ...checkHtaccess(config, section),
    ]),
  ];
}

/** Attack: `AuthName` in `.htaccess` prints the policy of a section, options included. */
function checkPasswords(config: MergedConfig): Finding[] {
  return config.lines.flatMap(({ kind, value, where }) => {
    const [name = "", ...words] = value.split(/[\s"]+/).filter(Boolean);
    if (kind !== "option" || !words.some(holdsPassword)) return [];
    const what = `option ${name} holds a password, which authors of .htaccess can print`;
    const todo = `secrets: { … } in mod-ts.config.ts, and Use TsOption ${name} secret:…`;
    return [problem("option-password", what, where, todo)];
  });
}

/** Phases of the sidecar that run before content. */
export const beforeContent = /^(?:init|headerparser|type|fixup)$/;
const aroundContent = /^(?:init|headerparser|type|fixup|log|cleanup)$/;
const besideGuard = /^(?:type|fixup)$/;

/** A sidecar refuses requests with guards, or with phases before the content, of another one. */
function checkMixed(config: MergedConfig, section: Section): Finding[] {
  const own = config.ours(section).filter(isJudging);
  for (const host of config.hostsOf(section)) {
    const chain = config.chain(section, host).map((each) => config.ours(each.section));
    const hasContent = chain.flat().some(({ kind }) => kind === "handler");
    const others = chain.flat().filter(isJudging);
    for (const line of own) {
      const foreign = others.find(
        (each) => each.sidecar !== line.sidecar && isJudgedWith(each, line, hasContent),
      );
      if (!foreign) continue;
      const what = `${directiveOf(line)} (sidecar ${line.sidecar || "main"}) and ${directiveOf(foreign)} (sidecar ${foreign.sidecar || "main"}, ${foreign.where}) apply to the same requests, which are refused`;
      return [problem("sidecars-mixed", what, line.where, "leave both to one sidecar")];
    }
  }
  return [];
}

function isJudging(line: OurDirective): boolean {
  return isGuardLine(line) || beforeContent.test(line.kind) || line.kind === "trans";
}

/** The gateway runs type and fixup handlers of its content; else the authorizer does. */
function isJudgedWith(one: OurDirective, other: OurDirective, hasContent: boolean): boolean {
  const isSame = isGuardLine(one) === isGuardLine(other);
  const [, phase] = isGuardLine(one) ? [one, other] : [other, one];
  return isSame || (!hasContent && besideGuard.test(phase.kind));
}

/** Phases where no request reaches the sidecar. */
function checkPhases(config: MergedConfig, section: Section): Finding[] {
  const lines = config
    .ours(section)
    .filter(({ kind, via }) => via === "content" && aroundContent.test(kind));
  if (lines.length === 0) return [];
  const hosts = config.hostsOf(section);
  const nearby = hosts.flatMap((host) => {
    const chain = config.chain(section, host);
    const inside = sectionsInside({ config, section, host, chain });
    const sections = [...chain.map((each) => each.section), ...inside];
    return [...sections.flatMap((each) => config.ours(each)), ...config.serverLines(host)];
  });
  if (nearby.some(({ kind }) => kind === "handler")) return [];
  const isGuarded = nearby.some(isGuardLine);
  return lines.flatMap((line) => {
    const { kind, where } = line;
    const isBefore = beforeContent.test(kind);
    if (isBefore && hasDecider(config)) return [];
    if (isBefore && passesThrough(config)) return [byCallback(line)];
    if (isGuarded && besideGuard.test(kind)) return [];
    if (kind === "log" && hasAccessLog(config, line)) return [];
    const refused = isBefore ? ", and every request is refused" : "";
    const what = `${directiveOf(line)} never runs${refused}: ${titleOf(section)} has no content handler${isBefore ? ", and there is no decider" : ""}`;
    const todo = isBefore
      ? "add Use TsHandler, or decider in mod-ts.config.ts"
      : `add Use TsHandler or TsAroundHandler${kind === "log" ? ", or accessLog in mod-ts.config.ts" : ""}`;
    return [problem("phase-never-runs", what, where, todo)];
  });
}

function byCallback(line: OurDirective): Finding {
  const what = `${directiveOf(line)} runs, but Apache serves the resource in a callback, which takes a second thread and copies the body: there is no decider`;
  const todo = "load mod_proxy_scgi, and listen on a Unix socket";
  return problem("phase-by-callback", what, line.where, todo);
}

/** Has phases run by the gateway, before a callback. */
function passesThrough({ tree }: MergedConfig): boolean {
  return [...walk(tree)].some(
    (each) =>
      isNamed(each, "RequestHeader") && /^append Mod-Ts-Config "?\\+tpass"? /.test(each.args),
  );
}

/** Asks the sidecar before content that is not ours. */
function hasDecider({ tree }: MergedConfig): boolean {
  return [...walk(tree)].some((each) => isNamed(each, "ProxySCGIInternalRedirect"));
}

/** Writes a line for what is not ours. */
function hasAccessLog({ tree }: MergedConfig, { sidecar }: OurDirective): boolean {
  const format = sidecar === "" ? "mod_ts_access" : `mod_ts_access_${sidecar}`;
  return [...walk(tree)].some(
    (each) => isNamed(each, "GlobalLog") && splitWords(each.args)[1] === format,
  );
}

/**
 * Options of a guard that only a nested section sets: a sub-request keeps those of its main request. It does
 * so where the section repeats the guard, too; another guard closes it.
 */
function checkBoundOptions(config: MergedConfig, section: Section): Finding[] {
  const { outer, kind } = section;
  if (!outer || (kind !== "files" && kind !== "if")) return [];
  const guards = config.ours(outer).filter(isGuardLine);
  const prefixes = guards.flatMap(({ value }) =>
    [...value.matchAll(/mod_ts\/([\w-]+)/g)].map(([, name]) => `mod_ts.${name}.`),
  );
  const own = config.ours(section).filter(isGuardLine);
  const isRepeated = ({ kind: phase, value }: OurDirective): boolean =>
    guards.some((guard) => guard.kind === phase && guard.value === value);
  if (!own.every(isRepeated)) return [];
  return config.ours(section).flatMap(({ kind: line, value, via, where }) => {
    const [name = ""] = value.split(/\s/);
    if (line !== "option" || via !== "policy") return [];
    const isOwn = own.length > 0 && !name.startsWith("mod_ts.");
    const isGuards = isOwn || prefixes.some((prefix) => name.startsWith(prefix));
    if (!isGuards) return [];
    const what = `option ${name} of a guard is set only in ${titleOf(section)}: for index files, MultiViews, listings and includes it does not apply`;
    const todo = `set it in ${titleOf(outer)}, or use another handler or export in ${titleOf(section)}`;
    return [problem("option-not-bound", what, where, todo)];
  });
}

/** Authors of `.htaccess` below a guard. */
function checkHtaccess(config: MergedConfig, section: Section): Finding[] {
  const line = section.kind === "directory" ? config.last(section, "AllowOverride") : undefined;
  const classes = line
    ? splitWords(line.args).filter((word) => /^(?:all|fileinfo|authconfig)$/i.test(word))
    : [];
  if (!line || classes.length === 0) return [];
  const guard = config.sections.find(
    (each) => config.ours(each).some(isGuardLine) && isOverridden(config, section, each),
  );
  if (!guard) return [];
  const what = `AllowOverride ${classes.join(" ")}: authors of .htaccess files in ${titleOf(section)} can ${lossOf(config, classes, guard)} the guard of ${titleOf(guard)}`;
  const todo = "AllowOverride None, or give it only to people who may write handlers";
  return [problem("htaccess-below-guard", what, config.where(line), todo)];
}

/** `Require` undoes the guard of a directory, `Satisfy any` of mod_access_compat each one. */
function lossOf(config: MergedConfig, classes: readonly string[], guard: Section): string {
  if (!/authconfig|all/i.test(classes.join(" "))) return "change";
  const isUndone = guard.kind === "directory" || config.modules.includes("mod_access_compat");
  return isUndone ? "undo" : "read the options of";
}

/** Whether the `AllowOverride` of a directory is in force where a guard is. */
function isOverridden(config: MergedConfig, directory: Section, guard: Section): boolean {
  return config.hostsOf(guard).some((host) => {
    if (!config.hostsOf(directory).includes(host)) return false;
    const there = config.chain(directory, host);
    // A later section of the same directory may have turned it off.
    if (lastOverride(config, there) !== directory) return false;
    const chain = config.chain(guard, host);
    if (lastOverride(config, chain) === directory) return true;
    const inside = sectionsInside({ config, section: guard, host, chain });
    return (
      inside.includes(directory) ||
      there.some((each) => each.section === guard && each.match === "yes")
    );
  });
}

function lastOverride(config: MergedConfig, chain: readonly AppliedSection[]): Section | undefined {
  return chain.findLast(
    ({ section, match }) => match === "yes" && config.last(section, "AllowOverride"),
  )?.section;
}
