/** Virtual hosts and sections of an httpd, and which of them apply to a request. */
import { join, normalize } from "node:path";
import { attempt } from "../base/attempt.ts";
import { oncePer } from "../base/cache.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";

export interface Host {
  /** Undefined for the main server. */
  readonly directive: Directive | undefined;
  readonly main: Host | undefined;
  /** Directives outside of sections. */
  readonly plain: readonly Directive[];
  /** In the order of the files, nested ones included. */
  readonly sections: readonly Section[];
}

export type SectionKind = "directory" | "files" | "location" | "if";

export interface Section {
  readonly kind: SectionKind;
  /** A path, a name of a file, or its pattern; for `<If>` the expression. */
  readonly pattern: string | RegExp;
  readonly directive: Directive;
  readonly host: Host;
  /** The section that this one is nested in. */
  readonly outer: Section | undefined;
  /** Its directives without nested sections; `<Limit>` and `<RequireAny>` stay whole. */
  readonly content: readonly Directive[];
}

/** What a request is for, as far as it is known. */
export interface Target {
  readonly uri?: string | undefined;
  /** Absolute path. */
  readonly file?: string | undefined;
}

const kinds: Readonly<Record<string, SectionKind>> = {
  directory: "directory",
  directorymatch: "directory",
  files: "files",
  filesmatch: "files",
  location: "location",
  locationmatch: "location",
  if: "if",
  elseif: "if",
  else: "if",
};

/** The main server first. */
export function readHosts(tree: readonly Directive[]): Host[] {
  const main = readHost(tree, undefined, undefined);
  const virtual = tree.filter((directive) => isNamed(directive, "VirtualHost"));
  return [main, ...virtual.map((directive) => readHost(directive.children, directive, main))];
}

function readHost(
  content: readonly Directive[],
  directive: Directive | undefined,
  main: Host | undefined,
): Host {
  const sections: Section[] = [];
  const host: Host = { directive, main, plain: content.filter(isPlain), sections };
  collect(content, undefined);
  return host;

  function collect(directives: readonly Directive[], outer: Section | undefined): void {
    for (const each of directives) {
      const kind = each.isSection ? kinds[each.name.toLowerCase()] : undefined;
      if (kind === undefined) continue;
      const pattern = readPattern(each, kind);
      const section = {
        kind,
        pattern,
        directive: each,
        host,
        outer,
        content: each.children.filter(isPlain),
      };
      sections.push(section);
      collect(each.children, section);
    }
  }
}

function isPlain(directive: Directive): boolean {
  return !directive.isSection || isNamed(directive, ...containers);
}

/** Sections inside of a section that do not select requests by their address or file. */
const containers = ["Limit", "LimitExcept", "RequireAny", "RequireAll", "RequireNone"];

function readPattern({ name, args }: Directive, kind: SectionKind): string | RegExp {
  if (kind === "if") return /^if$/i.test(name) ? args : "";
  const [first = "", second] = splitWords(args);
  if (/match$/i.test(name)) return toRegExp(first);
  if (first === "~") return toRegExp(second ?? "");
  if (/[*?[]/.test(first)) return globToRegExp(first, kind);
  return kind === "files" || first === "/"
    ? first
    : first.replace(/\/+$/, "") + trailingSlash(first, kind);
}

/** `<Location "/a/">` does not match `/a`; a directory has no such distinction. */
function trailingSlash(path: string, kind: SectionKind): string {
  return kind === "location" && path.endsWith("/") ? "/" : "";
}

/** A pattern of httpd; one that JavaScript does not understand matches nothing here. */
export function toRegExp(source: string): RegExp {
  const flags = source.startsWith("(?i)") ? "i" : "";
  return attempt(() => new RegExp(source.replace(/^\(\?i\)/, ""), flags), /(?!)/);
}

/** As apr_fnmatch(): the wildcards of paths do not match a slash. */
function globToRegExp(glob: string, kind: SectionKind): RegExp {
  const any = kind === "files" ? "." : "[^/]";
  const source = glob.replaceAll(/[*?]|\[[^\]]*\]|[^*?[]+|\[/g, (part) => {
    if (part === "*") return `${any}*`;
    if (part === "?") return any;
    if (part.startsWith("[") && part.endsWith("]")) return part.replace(/^\[!/, "[^");
    return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  return toRegExp(kind === "files" ? `^${source}$` : `^${source}(?:/|$)`);
}

/** `maybe`: it depends on an expression, or on something unknown about the request. */
export type Match = "yes" | "no" | "maybe";

export interface AppliedSection {
  readonly section: Section;
  readonly match: Match;
}

/**
 * The sections of a request in the order in which httpd merges them: directories from short to
 * long, then patterns, files, locations, `<If>`; those of the main server before the virtual host.
 */
export function sectionsFor(host: Host, target: Target): AppliedSection[] {
  const all = [...(host.main?.sections ?? []), ...host.sections];
  const applied = all
    .map((section) => ({ section, match: matchSection(section, target) }))
    .filter(({ match }) => match !== "no");
  return applied.toSorted((one, other) => rankOf(one.section) - rankOf(other.section));
}

/** Later sections win. */
function rankOf({ kind, pattern }: Section): number {
  if (kind === "directory") {
    // By the number of components; patterns come last.
    return typeof pattern === "string" ? pattern.split("/").filter(Boolean).length : 1e3;
  }
  return { files: 1e4, location: 1e5, if: 1e6 }[kind];
}

function matchSection(section: Section, target: Target): Match {
  const outer = section.outer ? matchSection(section.outer, target) : "yes";
  const own = outer === "no" ? "no" : matchOwn(section, target);
  return own === "yes" ? outer : own;
}

function matchOwn({ kind, pattern }: Section, { uri, file }: Target): Match {
  if (kind === "if") return typeof pattern === "string" && isTrue(pattern) ? "yes" : "maybe";
  const subject = kind === "location" ? uri : file;
  if (subject === undefined) return "maybe";
  if (kind === "files") return matchName(pattern, subject);
  if (typeof pattern !== "string") return pattern.test(subject) ? "yes" : "no";
  return isBelow(subject, pattern) ? "yes" : "no";
}

function isTrue(expression: string): boolean {
  return splitWords(expression).join(" ") === "true";
}

/** Of a directory, any file may be asked for. */
function matchName(pattern: string | RegExp, file: string): Match {
  const name = file.slice(file.lastIndexOf("/") + 1);
  if (name === "") return "maybe";
  return (typeof pattern === "string" ? pattern === name : pattern.test(name)) ? "yes" : "no";
}

/** Whether a path is another one, or lies below it. */
export function isBelow(path: string, base: string): boolean {
  if (base === "" || base === "/" || path === base) return true;
  return path.startsWith(base.endsWith("/") ? base : `${base}/`);
}

/** A request that a section applies to; undefined for a pattern. */
export function sampleOf(section: Section, host: Host): Target | undefined {
  const { kind, pattern, outer } = section;
  if (kind === "if") return outer && sampleOf(outer, host);
  if (typeof pattern !== "string") return undefined;
  if (kind === "location") return { uri: pattern, file: fileOf(host, pattern) };
  if (kind === "directory") return { uri: uriOf(host, `${pattern}/`), file: `${pattern}/` };
  const base = outer && sampleOf(outer, host);
  const file = base?.file === undefined ? undefined : join(base.file, pattern);
  return file === undefined ? undefined : { uri: uriOf(host, file), file };
}

/** Addresses and the directories behind them: `Alias`, `ScriptAlias`, `DocumentRoot`. */
export interface Mapping {
  readonly uri: string;
  readonly path: string;
  readonly directive: Directive;
}

/** In the order in which httpd tries them; the document root is last. */
export const mappingsOf: (host: Host) => readonly Mapping[] = oncePer((host) => {
  const own = host.plain.flatMap(readAlias);
  const inherited = host.main?.plain.flatMap(readAlias) ?? [];
  const root = [...(host.main?.plain ?? []), ...host.plain].findLast(isDocumentRoot);
  const path = root && splitWords(root.args)[0];
  const rooted =
    root && path !== undefined ? [{ uri: "/", path: withoutSlash(path), directive: root }] : [];
  return [...own, ...inherited, ...rooted];
});

function isDocumentRoot(directive: Directive): boolean {
  return isNamed(directive, "DocumentRoot");
}

function readAlias(directive: Directive): Mapping[] {
  if (!isNamed(directive, "Alias", "ScriptAlias")) return [];
  const [uri, path] = splitWords(directive.args);
  if (uri === undefined || path === undefined) return [];
  return [{ uri: withoutSlash(uri), path: withoutSlash(path), directive }];
}

function withoutSlash(path: string): string {
  return path.length > 1 ? normalize(path).replace(/\/$/, "") : path;
}

/** The file that httpd maps an address to, if it exists. */
export function fileOf(host: Host, uri: string): string | undefined {
  const mapping = mappingsOf(host).find((each) => isBelow(uri, each.uri));
  if (!mapping) return undefined;
  const rest = mapping.uri === "/" ? uri : uri.slice(mapping.uri.length);
  return `${mapping.path === "/" ? "" : mapping.path}${rest}`;
}

/** An address of a file; undefined if httpd serves it under none. */
export function uriOf(host: Host, file: string): string | undefined {
  for (const { uri, path } of mappingsOf(host)) {
    if (!isBelow(file, path)) continue;
    const candidate =
      `${uri === "/" ? "" : uri}${file.slice(path === "/" ? 0 : path.length)}` || "/";
    // Another Alias may take the address.
    if (fileOf(host, candidate) === file) return candidate;
  }
  return undefined;
}
