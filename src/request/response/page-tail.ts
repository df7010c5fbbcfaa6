/** A script that development adds to pages, where their Content-Security-Policy lets it run. */
import type { HeaderTable } from "../headers.ts";

/** By name; the first occurrence counts (CSP Level 3, section 2.2.1). */
type Policy = ReadonlyMap<string, readonly string[]>;

/** Headers of a body that cannot be extended. */
const fixedBody = ["Content-Encoding", "Content-Range"];

/**
 * Headers that the longer page does not have. With a validator, the browser would be told to show
 * the page that it has, whose script names earlier builds, and would reload it without end.
 */
const dropped = ["Content-Length", "ETag", "Last-Modified"];

/**
 * The text as it may be added to a response; empty if its headers forbid it.
 * @param length of the body; undefined if the headers were sent
 */
export function tailOf(
  tail: string,
  tables: readonly HeaderTable[],
  length: number | undefined,
): string {
  const has = (names: readonly string[]): boolean =>
    tables.some((table) => names.some((name) => table.has(name)));
  if (has(fixedBody) || (length === undefined && has(dropped))) return "";
  // A handler that announced another length has a bug, which must stay visible.
  if (tables.some((table) => table.get("Content-Length", String(length)) !== String(length))) {
    return "";
  }
  const policies = tables.flatMap((table) => table.getAll("Content-Security-Policy"));
  const allowed = allowedTail(tail, policies);
  if (allowed !== "" && length !== undefined) {
    for (const table of tables) for (const name of dropped) table.delete(name);
  }
  return allowed;
}

/**
 * The text with the nonce of the policies, if they have one; empty if they forbid it.
 * @param tail a script of the same origin, which fetches from there
 */
export function allowedTail(tail: string, policies: readonly string[]): string {
  const parsed = policies.flatMap((text) => text.split(",")).map(parsePolicy);
  if (!parsed.every(allowsScript) || !parsed.every(allowsFetch)) return "";
  const nonce = parsed.map((policy) => nonceOf(scriptsOf(policy))).find((one) => one !== undefined);
  return nonce === undefined ? tail : tail.replace("<script ", `<script nonce="${nonce}" `);
}

function parsePolicy(text: string): Policy {
  const directives = text.split(";").map((part) => part.trim().split(/\s+/));
  return new Map(
    directives.toReversed().map(([name = "", ...values]) => [name.toLowerCase(), values]),
  );
}

function allowsScript(policy: Policy): boolean {
  const sandbox = policy.get("sandbox");
  if (sandbox && !sandbox.includes("allow-scripts")) return false;
  const sources = scriptsOf(policy);
  if (!sources || nonceOf(sources) !== undefined) return true;
  return !sources.includes("'strict-dynamic'") && includesSelf(sources);
}

function allowsFetch(policy: Policy): boolean {
  const sources = policy.get("connect-src") ?? policy.get("default-src");
  return !sources || includesSelf(sources);
}

function scriptsOf(policy: Policy): readonly string[] | undefined {
  return policy.get("script-src-elem") ?? policy.get("script-src") ?? policy.get("default-src");
}

function includesSelf(sources: readonly string[]): boolean {
  return sources.includes("'self'") || sources.includes("*");
}

function nonceOf(sources: readonly string[] | undefined): string | undefined {
  const found = sources?.map((source) => /^'nonce-([\w+/=-]+)'$/.exec(source)?.[1]);
  return found?.find((nonce) => nonce !== undefined);
}
