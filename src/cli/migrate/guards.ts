/** Access control: the same guard or a stricter one, else the section is closed. */
import type { Section } from "../../httpd/config-model.ts";
import type { SourceDirective } from "../../httpd/config-source.ts";
import { isNamed } from "../../httpd/config-tree.ts";
import { requiresOf } from "../../httpd/require-lines.ts";
import type { Edits } from "./edits.ts";
import type { Model } from "./model.ts";
import { phaseOf, readHandlers } from "./python-directives.ts";

/** Guards of one part of a section, by the name of the export; each with its references. */
export interface Guards {
  readonly at: ReadonlyMap<string, readonly SourceDirective[]>;
  /** E.g. `ip.ts` or `"a.ts b.ts | .html"`, one for each list. */
  readonly lists: (directives: readonly SourceDirective[], name?: string) => string[];
}

/**
 * `Require` of other sections replaces that of this one, and would open what an access handler of
 * mod_python still refused. An `<If>` is merged after all of them.
 */
const askAlways = ['<If "true">', "    AuthMerging And", "    Require valid-user", "</If>"];

export function convertGuards(
  guards: Guards,
  section: Section | undefined,
  model: Model,
  edits: Edits,
): void {
  const [first] = [...guards.at.values()].flat();
  if (!first) return;
  if (!section) return convertServerGuards(guards, edits);
  const { at, lists } = guards;
  const access = at.get("accessHandler") ?? [];
  const authen = at.get("authenHandler") ?? [];
  const authz = at.get("authzHandler") ?? [];
  const isForeign = access.length > 0 && model.hasForeignUsers(section);
  if (isForeign) convertForeign(access, authz.length > 0, lists, edits);
  const isAsking = access.length > 0 && !isForeign;
  if ((isAsking || authen.length > 0) && !hasType(section, model)) {
    edits.add(first, "AuthType mod_ts");
  }
  if (isAsking) convertAccess(access, section, lists, edits);
  if (authen.length > 0) {
    edits.replace(authen[0]!, ...uses("TsAuthenHandler", lists(authen)));
    if (!isAsking && requires(section).length === 0) noRequire(authen[0]!, edits);
    nameFallback(authen[0]!, section, edits);
  }
  if (authz.length > 0) {
    edits.replace(authz[0]!, ...uses("TsAuthzHandler", lists(authz)));
    if (requires(section).some((each) => !/^valid-user$/i.test(each.args))) {
      edits.byHand(authz[0]!, "the Require lines must hold, too; an OK was enough in mod_python");
    }
  }
  for (const each of [access, authen, authz].flatMap(([, ...rest]) => rest)) {
    edits.replace(each, "# in the directive above");
  }
  for (const each of [...access, ...authen, ...authz]) {
    if (!each.args.includes("|")) continue;
    edits.byHand(each, "files with other extensions are refused here; mod_python let them pass");
  }
}

const requires = (section: Section): SourceDirective[] =>
  requiresOf(section.content, undefined) as SourceDirective[];

const uses = (macro: string, lists: readonly string[]): string[] =>
  lists.map((list) => `Use ${macro} ${list}`);

function hasType(section: Section, model: Model): boolean {
  const levels = [...model.inherited(section, section.host), section.content];
  return levels.flat().some((each) => isNamed(each, "AuthType"));
}

function convertAccess(
  access: readonly SourceDirective[],
  section: Section,
  lists: Guards["lists"],
  edits: Edits,
): void {
  const own = requires(section);
  const isOpen = own.every((each) => /^all\s+granted$/i.test(each.args) && !each.isSection);
  const [first] = access as [SourceDirective];
  edits.replace(
    first,
    ...askAlways,
    ...uses("TsAccessHandler", lists(access)),
    // What outer sections require stays in force.
    ...(own.length === 0 ? ["AuthMerging And"] : []),
    ...(isOpen ? ["Require valid-user"] : []),
  );
  if (isOpen)
    for (const each of own) edits.replace(each, "# Require valid-user, see TsAccessHandler");
}

/** The answer of an access handler would take the place of the other module's. */
function convertForeign(
  access: readonly SourceDirective[],
  hasAuthz: boolean,
  lists: Guards["lists"],
  edits: Edits,
): void {
  const [first] = access as [SourceDirective];
  const { plain, byExtension } = readHandlers(access.map(({ args }) => args));
  if (plain.length === 1 && byExtension.size === 0 && !hasAuthz) {
    // Without askAlways, Apache asks no handler where another section has `Require all granted`.
    edits.replace(first, ...askAlways, ...uses("TsAuthzHandler", lists(access, "accessHandler")));
    edits.byHand(first, "the access handler runs after the login now, and must say OK");
    return;
  }
  edits.close(
    first,
    "access handlers and the users of another module cannot be combined in one section: write one TsAuthzHandler that calls them",
  );
}

/** In mod_python, users whom the handler did not know were those of the next module. */
function nameFallback(directive: SourceDirective, { content }: Section, edits: Edits): void {
  const other = content.find(
    (each) =>
      (isNamed(each, "AuthUserFile") && !each.args.includes("/dev/null")) ||
      (isNamed(each, "AuthBasicProvider", "AuthDigestProvider") && !/^file$/i.test(each.args)),
  );
  if (!other) return;
  const text = `${other.name} is not asked any more; for a password file, add mod_ts/htpasswd as a second handler`;
  edits.byHand(directive, text);
}

function noRequire(directive: SourceDirective, edits: Edits): void {
  edits.byHand(
    directive,
    "no Require line in this section: mod_ts refuses everybody here. Move the directive to the sections with Require lines, or add one (in <Limit>, for each method)",
  );
}

/** `AuthType` and `Require` are not allowed at server level. */
function convertServerGuards({ at, lists }: Guards, edits: Edits): void {
  for (const [name, directives] of at) {
    const [first, ...others] = directives as [SourceDirective];
    const macro = `Ts${name[0]!.toUpperCase()}${name.slice(1)}`;
    const isAccess = name === "accessHandler";
    const inner = [
      ...(name === "authzHandler" ? [] : ["AuthType mod_ts"]),
      ...(isAccess ? askAlways : []),
      ...uses(macro, lists(directives)),
      ...(isAccess ? ["AuthMerging And", "Require valid-user"] : []),
    ];
    edits.replace(first, '<Location "/">', ...inner.map((line) => `    ${line}`), "</Location>");
    if (name === "authenHandler") noRequire(first, edits);
    for (const each of others) edits.replace(each, "# in the directive above");
  }
}

/** What a section requires by itself, under an access handler of another one. */
export function closeOverlap(
  directive: SourceDirective,
  section: Section,
  model: Model,
  edits: Edits,
): void {
  const isOwn = section.content.some(
    (each) => phaseOf(each) !== undefined && phaseOf(each)?.name === "accessHandler",
  );
  if (isOwn || !model.accessHandlersElsewhere(section)) return;
  // It is merged after the <If> that asks the handler.
  if (section.kind === "if" && requires(section).length > 0) mergeAnd(directive, section, edits);
  if (!model.hasForeignUsers(section)) return;
  edits.close(
    directive,
    "users of another module, and an access handler of another section that applies here, too: mod_ts asks only one of them. Name the handler as Use TsAuthzHandler in this section, and leave it out of the other one for these addresses",
  );
}

function mergeAnd(directive: SourceDirective, { content }: Section, edits: Edits): void {
  edits.add(directive, "AuthMerging And");
  for (const each of content as readonly SourceDirective[]) {
    if (isNamed(each, "AuthMerging")) edits.replace(each, "# And, see the begin of the section");
  }
}

/**
 * `Satisfy any` would open what the handlers refuse; both are needed now. That of a `.htaccess` file
 * stays in force, so everybody is denied until it is removed: these lines replace all of
 * mod_access_compat in outer sections, `Deny` included.
 */
export function convertSatisfy(
  directive: SourceDirective,
  isAccessFile: boolean,
  edits: Edits,
): void {
  edits.replace(directive, "# both are needed now");
  const reason =
    "either was enough here, but mod_ts decides both in one question: let the handler decide";
  if (!isAccessFile) return edits.byHand(directive, reason);
  edits.close(directive, `${reason}, and remove Satisfy from ${directive.place.file}`, [
    '<If "true">',
    "    <IfModule mod_access_compat.c>",
    "        Order allow,deny",
    "        Satisfy All",
    "    </IfModule>",
    "</If>",
  ]);
}
