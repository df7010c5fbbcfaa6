/** Results of `mod-ts check`. */

/** `bad`: it does not work, or is not safe. `note`: it works with a limitation. */
export type Level = "ok" | "note" | "bad";

export interface Finding {
  level: Level;
  /** Its section in `docs/check.md`; undefined for `ok`. */
  rule?: Rule;
  what: string;
  /** File with line, module or URL. */
  where?: string;
  todo?: string;
}

/** Omits undefined texts. */
export function finding(
  level: Level,
  what: string,
  { where, todo }: { where?: string | undefined; todo?: string } = {},
): Finding {
  return {
    level,
    what,
    ...(where !== undefined && { where }),
    ...(todo !== undefined && { todo }),
  };
}

// oxfmt-ignore
/** What `mod-ts check` looks for in Apache's merged configuration. */
export const rules = {
  // Access control
  "guard-open": "bad",
  "guard-unasked": "bad",
  "guard-closed": "bad",
  "guard-satisfy-any": "bad",
  "guard-limited": "note",
  "guard-no-authentication": "bad",
  "guard-opened-below": "note",
  "provider-others": "bad",
  "provider-unused": "bad",
  "option-not-bound": "bad",
  "option-password": "note",
  "htaccess-below-guard": "note",
  "cache-shares": "bad",
  "cache-first": "note",
  "error-page-refused": "note",
  "guard-passed": "bad",
  "guard-failed": "bad",
  "guard-anonymous": "note",
  // Handlers
  "sidecars-mixed": "bad",
  "phase-never-runs": "bad",
  "phase-by-callback": "note",
  "handler-behind-proxy": "bad",
  "address-taken": "bad",
  "header-ours": "bad",
  "dav-beside-handler": "bad",
  "handler-replaced": "bad",
  "handler-missing": "bad",
  "handler-broken": "bad",
  "export-missing": "bad",
  "handler-unreadable": "bad",
  "option-unknown": "bad",
  "option-value": "bad",
  "option-missing": "bad",
  "handler-denied": "note",
  "filter-twice": "note",
  "proxy-to-sidecar": "bad",
  "preserve-host": "note",
  "merge-slashes": "note",
  "debug-on": "note",
  // The sidecar
  "secret-readable": "bad",
  "sidecar-down": "bad",
  "not-listening": "bad",
  "socket-closed": "bad",
  "sidecar-unreachable": "bad",
  // Addresses and times
  "sidecar-unknown": "bad",
  "run-differs": "bad",
  "authorizer-differs": "bad",
  "pool-unknown": "bad",
  "timeout-short": "bad",
  // Files
  "file-served": "bad",
  "handlers-served": "note",
  "include-served": "bad",
  "include-writable": "bad",
  "include-deployed": "note",
  // Apache
  "dump-missing": "note",
} as const satisfies Readonly<Record<string, Level>>;

export type Rule = keyof typeof rules;

/** A finding of a rule, at its level. */
export function problem(
  rule: Rule,
  what: string,
  where: string | undefined,
  todo: string,
): Finding {
  return { ...finding(rules[rule], what, { where, todo }), rule };
}

/** As lines of text. */
export function formatFinding({ level, rule, what, where, todo }: Finding): string {
  const title = `${level.padEnd(4)}  ${what}${rule ? ` (${rule})` : ""}\n`;
  if (level === "ok") return title;
  const place = where === undefined ? "" : `      at:  ${where}\n`;
  const fix = todo === undefined ? "" : `      fix: ${todo.replaceAll("\n", "\n           ")}\n`;
  return title + place + fix;
}
