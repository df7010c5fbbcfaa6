/** A script that development adds to pages, where their Content-Security-Policy lets it run. */
import type { HeaderTable } from "../headers.ts";

/** By name; the first occurrence counts (CSP Level 3, section 2.2.1). */
type Policy = ReadonlyMap<string, readonly string[]>;

/** Headers of a body that cannot be extended. */
const fixedBody = ["Content-Encoding", "Content-Length", "Content-Range"];

/** The text as it may be added to a response; empty if its headers forbid it. */
export function tailOf(tail: string, tables: readonly HeaderTable[]): string {
  if (tables.some((table) => fixedBody.some((name) => table.has(name)))) return "";
  const policies = tables.flatMap((table) => table.getAll("Content-Security-Policy"));
  return allowedTail(tail, policies);
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
