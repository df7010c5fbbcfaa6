/** What the `Require` lines of a section say. */
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { isOurs } from "./our-directives.ts";

const groups = ["RequireAny", "RequireAll", "RequireNone"];

/** The administrator's `Require` lines of a section, for all methods. */
export function requiresOf(
  content: readonly Directive[],
  confFile: string | undefined,
): Directive[] {
  return content.filter((each) => isNamed(each, "Require", ...groups) && !isOurs(each, confFile));
}

/** The methods of each `<Limit>` and `<LimitExcept>` with the `Require` lines inside. */
export interface LimitedRequires {
  readonly except: boolean;
  /** In upper case. */
  readonly methods: readonly string[];
  readonly requires: readonly Directive[];
  readonly directive: Directive;
}

export function limitsOf(
  content: readonly Directive[],
  confFile: string | undefined,
): LimitedRequires[] {
  return content.flatMap((directive) => {
    if (!directive.isSection || !isNamed(directive, "Limit", "LimitExcept")) return [];
    const requires = requiresOf(directive.children, confFile);
    if (requires.length === 0) return [];
    const methods = splitWords(directive.args).map((method) => method.toUpperCase());
    return [{ except: isNamed(directive, "LimitExcept"), methods, requires, directive }];
  });
}

/** Whether lines, of which one suffices, grant everything: `Require all granted`. */
export function grantsAll(requires: readonly Directive[]): boolean {
  return requires.some((each) => {
    if (isNamed(each, "RequireAny")) return grantsAll(each.children);
    if (isNamed(each, "RequireAll")) {
      return each.children.length > 0 && each.children.every((child) => grantsAll([child]));
    }
    return isNamed(each, "Require") && /^all\s+granted$/i.test(each.args);
  });
}

/** Whether lines grant nothing, such as `Require all denied`. */
export function grantsNothing(requires: readonly Directive[]): boolean {
  return requires.every((each) => isNamed(each, "Require") && /^all\s+denied$/i.test(each.args));
}

/** Kinds of `Require` that httpd decides without a user. */
const withoutUser = /^(?:not\s+)?(?:all|env|method|ip|host|forward-dns|local)\b/i;

/** Whether httpd asks for a user before it can decide. */
export function needsUser(requires: readonly Directive[]): boolean {
  return requires.some((each) => {
    if (each.isSection) return needsUser(each.children);
    if (/^(?:not\s+)?expr\b/i.test(each.args)) return /REMOTE_USER|REMOTE_IDENT/.test(each.args);
    return isNamed(each, "Require") && !withoutUser.test(each.args);
  });
}
