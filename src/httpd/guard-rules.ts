/** Rules on access control: guards that Apache does not ask, or that nobody passes. */
import type { AppliedSection, Host, Section } from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isAsking, type OurDirective } from "./our-directives.ts";
import { grantsAll, grantsNothing, limitsOf, needsUser } from "./require-lines.ts";

/** A section with guards, in one host. */
interface Guard {
  readonly config: MergedConfig;
  readonly section: Section;
  readonly host: Host;
  /** Its directives for access, authen and authz. */
  readonly lines: readonly OurDirective[];
  /** Whether the sidecar replaces the authentication of Apache here. */
  readonly asks: boolean;
  /** All sections that apply or may apply there. */
  readonly chain: readonly AppliedSection[];
}

type GuardRule = (guard: Guard) => Finding[];

/** A guard is wrong if it is wrong in one virtual host. */
const rulesOfAny: readonly GuardRule[] = [
  checkOpen,
  checkMerging,
  checkSatisfy,
  checkLimits,
  checkOpenedBelow,
];
/** It is right if it is right in one: the others may never serve the section. */
const rulesOfAll: readonly GuardRule[] = [checkClosed, checkUnasked, checkProvider];

export function checkGuards(config: MergedConfig): Finding[] {
  return config.sections.flatMap((section) => {
    const guards = config.hostsOf(section).flatMap((host) => readGuard(config, section, host));
    if (guards.length === 0) return [];
    const any = rulesOfAny.flatMap((rule) => unique(guards.flatMap(rule)));
    const all = rulesOfAll.flatMap((rule) => {
      const found = guards.map(rule);
      return found.every((each) => each.length > 0) ? (found[0] ?? []) : [];
    });
    return [...any, ...all];
  });
}

export function isGuardLine({ kind, via }: OurDirective): boolean {
  return via === "policy" && /^(?:access|authen|authz)$/.test(kind);
}

function readGuard(config: MergedConfig, section: Section, host: Host): Guard[] {
  const ours = config.ours(section);
  const lines = ours.filter(isGuardLine);
  if (lines.length === 0) return [];
  const asks = ours.some(isAsking);
  return [{ config, section, host, lines, asks, chain: config.chain(section, host) }];
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()];
}

/** The first guard, e.g. `TsAuthenHandler users.ts`. */
function nameOf({ lines }: Guard): string {
  const [first] = lines;
  return first ? directiveOf(first) : "";
}

/** A line as the administrator wrote it. */
export function directiveOf({ kind, value }: OurDirective): string {
  const phase =
    kind === "headerparser" ? "HeaderParser" : kind.replace(/^./, (letter) => letter.toUpperCase());
  return `Ts${phase}${kind === "handler" ? "" : "Handler"} ${value}`;
}

function whereOf({ lines }: Guard): string | undefined {
  return lines[0]?.where;
}

/** `Require all granted` in the same section, or in a later one that covers it. */
function checkOpen(guard: Guard): Finding[] {
  const { config, section, chain } = guard;
  const deciding = config.deciding(chain);
  const opening = deciding && config.requires(deciding);
  if (!deciding || !opening || !grantsAll(opening)) return [];
  if (deciding !== section && !isAfter(guard, deciding)) return [];
  if (deciding !== section && config.ours(deciding).some(isAsking)) return [];
  const line = opening.find((each) => grantsAll([each]));
  const by = deciding === section ? "" : ` of ${titleOf(deciding)}`;
  const what = `${titleOf(section)} is open: Require all granted${by} applies, and ${nameOf(guard)} is not asked`;
  const todo = `replace it with a Require line that needs a user, such as Require valid-user; the guard is at ${whereOf(guard)}`;
  return [problem("guard-open", what, line && config.where(line), todo)];
}

/** `AuthMerging Or`: the Require lines of an outer section let everybody pass. */
function checkMerging({ config, section, chain }: Guard): Finding[] {
  const line = config.last(section, "AuthMerging");
  if (!line || !/^or$/i.test(line.args)) return [];
  const own = chain.findIndex((each) => each.section === section);
  const outer = chain.slice(0, own).findLast((each) => config.requires(each.section).length > 0);
  if (!outer || !grantsAll(config.requires(outer.section))) return [];
  const what = `${titleOf(section)} is open where ${titleOf(outer.section)} applies, too: with AuthMerging Or, its Require all granted is enough`;
  return [problem("guard-open", what, config.where(line), "remove AuthMerging Or")];
}

function isAfter({ chain, section }: Guard, other: Section): boolean {
  const indexOf = (wanted: Section): number => chain.findIndex((each) => each.section === wanted);
  return indexOf(other) > indexOf(section);
}

/** No `Require` line at all: `TsAskAuthorizer` closes the section. */
function checkClosed(guard: Guard): Finding[] {
  const { config, section, asks, chain } = guard;
  if (!asks || limitsOf(section.content, config.confFile).length > 0) return [];
  const isOpening = (each: Section): boolean =>
    !grantsNothing(config.requires(each)) || limitsOf(each.content, config.confFile).length > 0;
  const start = chain.findIndex((each) => each.section === section);
  if (chain.slice(start).some((each) => isOpening(each.section))) return [];
  if (sectionsInside(guard).some(isOpening)) return [];
  const what = `${titleOf(section)} is closed: ${nameOf(guard)} has no Require line, so every request is 403`;
  return [problem("guard-closed", what, whereOf(guard), "add Require valid-user to the section")];
}

/** `Require` lines that Apache decides without a user: the guard is not asked. */
function checkUnasked(guard: Guard): Finding[] {
  const { config, section, asks, chain } = guard;
  // An outer guard asks about this one, too.
  if (!asks && chain.some((each) => config.ours(each.section).some(isAsking))) return [];
  if (limitsOf(section.content, config.confFile).length > 0) return [];
  const deciding = config.deciding(chain);
  const requires = deciding ? config.requires(deciding) : [];
  if (deciding && needsUser(requires)) return asks ? [] : checkAuthentication(guard);
  // A section that may apply decides.
  if (chain.some((each) => needsUser(config.requires(each.section)))) return [];
  const isOwn = deciding === section || asks;
  if (isOwn && (grantsAll(requires) || grantsNothing(requires))) return [];
  if (requires.length > 0 && grantsNothing(requires)) return [];
  const what = `${nameOf(guard)} is not asked: no Require line of ${titleOf(section)} needs a user`;
  const todo = "add Require valid-user; to combine it with another condition, use <RequireAll>";
  return [problem("guard-unasked", what, whereOf(guard), todo)];
}

/** Behind another module, which must exist. */
function checkAuthentication(guard: Guard): Finding[] {
  const { config, section, chain } = guard;
  const types = chain.flatMap((each) => config.last(each.section, "AuthType") ?? []);
  if (types.some(({ args }) => !/^"?(?:mod_ts|none)"?$/i.test(args))) return [];
  const what = `nobody logs in at ${titleOf(section)}: ${nameOf(guard)} needs a user, and ${types.length === 0 ? "there is no AuthType" : `no module implements AuthType ${types.at(-1)?.args}`}`;
  const todo =
    "add Use TsAuthenHandler, or AuthType Basic with AuthName and the users of another module";
  return [problem("guard-no-authentication", what, whereOf(guard), todo)];
}

/** `TsAuthBasicProvider` without `AuthBasicProvider mod_ts`, or beside providers that it knows nothing of. */
function checkProvider(guard: Guard): Finding[] {
  const { config, section, asks, chain, lines } = guard;
  const line = lines.find(({ kind }) => kind === "authen");
  if (asks || !line || chain.some((each) => config.ours(each.section).some(isAsking))) return [];
  const providers = chain.flatMap((each) => config.last(each.section, "AuthBasicProvider") ?? []);
  const provider = line.sidecar === "" ? "mod_ts" : `mod_ts-${line.sidecar}`;
  const [used] = providers.filter(({ args }) => splitWords(args).includes(provider)).slice(-1);
  if (used) return checkOthers(line, splitWords(used.args), provider);
  const what = `TsAuthBasicProvider ${line.value} is not asked: ${titleOf(section)} has no AuthBasicProvider ${provider}`;
  const todo = `add AuthBasicProvider ${provider}, or use TsAuthenHandler`;
  return [problem("provider-unused", what, line.where, todo)];
}

/** Users of other providers have no proof of the sidecar. */
function checkOthers(
  { macro, value, where }: OurDirective,
  providers: readonly string[],
  ours: string,
): Finding[] {
  const others = providers.filter((name) => name !== ours && name !== "socache");
  if (others.length === 0 || !/^TsAuthBasicProvider$/i.test(macro)) return [];
  const what = `TsAuthBasicProvider ${value} refuses the users of the other providers: ${others.join(", ")}`;
  const todo = `use TsAuthBasicProviderAmong "${value}" "user …", with a Require line for their users`;
  return [problem("provider-others", what, where, todo)];
}

/** mod_access_compat: the address suffices, and every address is allowed. */
function checkSatisfy({ config, chain, section, lines }: Guard): Finding[] {
  const sure = chain.filter(({ match }) => match === "yes").map((each) => each.section);
  const satisfy = sure.findLast((each) => config.last(each, "Satisfy"));
  const line = satisfy && config.last(satisfy, "Satisfy");
  if (!line || !/^any$/i.test(line.args)) return [];
  if (chain.some((each) => each.section.content.some(restrictsAddresses))) return [];
  const what = `${titleOf(section)} is open: with Satisfy any the client's address suffices, and every address is allowed`;
  const todo = `remove it, or use Require lines in <RequireAny>; the guard is at ${lines[0]?.where}`;
  return [problem("guard-satisfy-any", what, config.where(line), todo)];
}

function restrictsAddresses(directive: Directive): boolean {
  if (isNamed(directive, "Deny")) return true;
  return isNamed(directive, "Order") && !/^deny,allow$/i.test(directive.args);
}

/** Methods without a `Require` line are closed, and those with `Require all granted` skip all guards. */
function checkLimits({ config, section, asks, lines }: Guard): Finding[] {
  const limits = limitsOf(section.content, config.confFile);
  const except = limits.find((each) => each.except);
  const isGranted = (method: string): boolean =>
    limits.some((each) => !each.except && each.methods.includes(method));
  const findings: Finding[] = [];
  if (asks && except && config.requires(section).length === 0) {
    const closed = except.methods.filter((method) => !isGranted(method));
    if (closed.length > 0) {
      const names = closed.join(" ");
      const what = `${names} is always 403 at ${titleOf(section)}: <LimitExcept> leaves it without a Require line`;
      const todo = `add <Limit ${names}> with a Require line, such as Require all granted`;
      findings.push(problem("guard-limited", what, config.where(except.directive), todo));
    }
  }
  const open = limits.find((each) => !each.except && grantsAll(each.requires));
  if (open && lines.length > 1) {
    const names = open.methods.join(" ");
    const what = `${names} is open at ${titleOf(section)}: none of its ${lines.length} guards is asked`;
    const todo = "ignore this if it is meant; otherwise write Require valid-user there";
    findings.push(problem("guard-limited", what, config.where(open.directive), todo));
  }
  return findings;
}

/** Narrower sections with `Require all granted`: often meant, so it is a note. */
function checkOpenedBelow(guard: Guard): Finding[] {
  const { config, section } = guard;
  return sectionsInside(guard).flatMap((inner) => {
    const requires = config.requires(inner);
    const line = requires.find((each) => grantsAll([each]));
    if (!line || config.last(inner, "AuthMerging") || config.ours(inner).some(isLogin)) return [];
    const what = `${titleOf(inner)} is open inside of ${titleOf(section)}, which ${nameOf(guard)} guards`;
    const todo = "ignore this if it is meant; otherwise remove the Require line";
    return [problem("guard-opened-below", what, config.where(line), todo)];
  });
}

/** The login page has to be open. */
function isLogin({ kind, value }: OurDirective): boolean {
  return kind === "handler" && value.startsWith("mod_ts/login");
}

/** Sections that apply, later than the guard, to a part of what it guards. */
export function sectionsInside({
  config,
  section,
  host,
  chain,
}: Pick<Guard, "config" | "section" | "host" | "chain">): Section[] {
  const covering = new Set(
    chain.filter(({ match }) => match === "yes").map((each) => each.section),
  );
  return config.sections.filter((inner) => {
    if (covering.has(inner) || !config.hostsOf(inner).includes(host)) return false;
    const there = config.chain(inner, host);
    const at = there.findIndex((each) => each.section === section && each.match === "yes");
    return at >= 0 && there.findIndex((each) => each.section === inner) > at;
  });
}
