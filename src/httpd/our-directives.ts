/** The directives of mod_ts in a configuration: what the macros of `mod_ts.conf` expand to. */
import { type Directive, isNamed, type Place, splitWords, walk } from "./config-tree.ts";

/** One line for the sidecar. */
export interface OurDirective {
  /** `handler`, `access`, `option`, `interpreter` and similar. */
  readonly kind: string;
  readonly value: string;
  /** Whose handlers these are; empty: those of the sidecar without a name. */
  readonly sidecar: string;
  /** `policy`: with the access check. `content`: with a request for a handler. */
  readonly via: "policy" | "content";
  /** The macro of ours that the administrator used; empty for a line that they wrote themselves. */
  readonly macro: string;
  /** File and line that the administrator wrote. */
  readonly where: string;
}

/** `mod_ts.conf` itself, by the line that only it contains; undefined if it is not included. */
export function findConfFile(tree: readonly Directive[]): string | undefined {
  const trust = tree.find(
    (each) => isNamed(each, "RequestHeader") && /^unset Mod-Ts-Config early$/i.test(each.args),
  );
  return trust?.place.file;
}

/** Lines in directives and in the `<Limit>` among them; nested sections are left to the caller. */
export function readOurs(
  content: readonly Directive[],
  confFile: string | undefined,
): OurDirective[] {
  return content.flatMap((directive) => {
    const found = readLine(directive);
    if (!found) return [];
    const [, kind = "", sidecar = "", value = ""] =
      /^(\S+)\s*(?:@(\S+)\s+)?(.*)$/s.exec(found.line.trim()) ?? [];
    const where = describePlace(directive, confFile);
    return [{ kind, value, sidecar, via: found.via, macro: macroOf(directive, confFile), where }];
  });
}

/** Of `TsOption`, and of `TsPolicy`, which appends its line to those before. */
const policyLine = /"MOD_TS_(?:LINE=|POLICY=\$1)((?:\\.|[^"\\])*)"(?: !MOD_TS_TICKET)?$/s;

function readLine(directive: Directive): { line: string; via: OurDirective["via"] } | undefined {
  if (isNamed(directive, "SetEnvIf", "SetEnvIfExpr")) {
    const [, line = ""] = policyLine.exec(directive.args) ?? [];
    return line === "" ? undefined : { line: unescape(line), via: "policy" };
  }
  if (!isNamed(directive, "RequestHeader")) return undefined;
  const [action, name, line = ""] = splitWords(directive.args);
  if (!/^(?:add|append)$/i.test(action ?? "") || !/^Mod-Ts-Config$/i.test(name ?? ""))
    return undefined;
  // Lines are separated by tabs, which mod_headers writes as \t.
  return { line: line.replace(/^\\+t/, "").replaceAll("%%", "%"), via: "content" };
}

function unescape(text: string): string {
  return text.replaceAll(/\\(["\\])/g, "$1");
}

/** Whether a line makes Apache ask the sidecar in place of its own authentication. */
export function isAsking({ kind, via }: OurDirective): boolean {
  return via === "policy" && kind === "ask";
}

function macroOf({ macros }: Directive, confFile: string | undefined): string {
  return macros.find(({ definedAt }) => definedAt.file === confFile)?.name ?? "";
}

/** The line that the administrator wrote: the use of our macro, or the directive itself. */
export function placeOf({ place, macros }: Directive, confFile: string | undefined): Place {
  return macros.find(({ definedAt }) => definedAt.file === confFile)?.usedAt ?? place;
}

/** `file:line`, with the use of the administrator's own macro. */
export function describePlace(directive: Directive, confFile: string | undefined): string {
  const { file, line } = placeOf(directive, confFile);
  const [own] = directive.macros.filter(({ definedAt }) => definedAt.file !== confFile);
  const use = own ? ` (macro ${own.name}, used at ${own.usedAt.file}:${own.usedAt.line})` : "";
  return `${file}:${line}${use}`;
}

export function isOurs({ macros, place }: Directive, confFile: string | undefined): boolean {
  return place.file === confFile || macros.some(({ definedAt }) => definedAt.file === confFile);
}

/** Where Apache connects to a pool. */
export interface PoolAddress {
  /** Of the pool; empty over TCP. */
  readonly name: string;
  /** `unix:/run/mod-ts/main.sock` or `http://127.0.0.1:9700`. */
  readonly address: string;
  /** Seconds. */
  readonly timeout: number | undefined;
  readonly where: string;
}

/** The addresses of the sidecar in Apache's configuration. */
export interface ConfiguredAddresses {
  readonly pools: readonly PoolAddress[];
  readonly authorizer: { address: string; where: string } | undefined;
}

/** @param sidecar its name; empty: that of `mod_ts.conf` itself */
export function readAddresses(
  tree: readonly Directive[],
  confFile: string | undefined,
  sidecar: string = "",
): ConfiguredAddresses {
  const host = sidecar === "" ? "mod-ts" : `${sidecar}.mod-ts`;
  const poolUrl = new RegExp(`^unix:([^|]+\\.sock)\\|http://([\\w-]+)\\.${host}$`);
  const providerName = sidecar === "" ? "mod_ts" : `mod_ts-${sidecar}`;
  const pools = [...walk(tree)].flatMap((directive) => {
    if (!isNamed(directive, "Proxy") || !directive.isSection) return [];
    const [url = "", ...parameters] = splitWords(directive.args);
    const [, path, name] = poolUrl.exec(url) ?? [];
    const isTcp = sidecar === "" && isOurs(directive, confFile) && url.startsWith("http://");
    if (path === undefined && !isTcp) return [];
    const timeout = parameters.map((word) => /^timeout=(\d+)$/.exec(word)?.[1]).find(Boolean);
    return [
      {
        name: name ?? "",
        address: path === undefined ? url : `unix:${path}`,
        timeout: timeout === undefined ? undefined : Number(timeout),
        where: describePlace(directive, confFile),
      },
    ];
  });
  const provider = tree.find(
    (each) =>
      isNamed(each, "AuthnzFcgiDefineProvider") && each.args.startsWith(`authn ${providerName} `),
  );
  const address = provider && /fcgi:\/\/([^/]+)/.exec(provider.args)?.[1];
  return {
    pools,
    authorizer:
      provider && address !== undefined
        ? { address, where: describePlace(provider, confFile) }
        : undefined,
  };
}
