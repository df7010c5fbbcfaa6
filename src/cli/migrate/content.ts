/** Content handlers: which files a section of mod_python gave to which handlers. */
import type { Host, Section } from "../../httpd/config-model.ts";
import type { Directive } from "../../httpd/config-tree.ts";
import { isWithin, type Model, type Place } from "./model.ts";
import { escapeRegExp, isUsual, type MigratedTree } from "./trees.ts";
import { activationOf, type HandlerList, phaseOf, readHandlers } from "./python-directives.ts";

/** Handlers of a section for all of its files, or for some extensions. */
export interface Route {
  readonly extensions: readonly string[] | "all";
  readonly handlers: readonly string[];
}

/** Undefined where mod_python served nothing, or not by a directive of this section. */
export function routesOf(
  own: readonly Directive[],
  section: Section | undefined,
  host: Host,
  model: Model,
): Route[] | undefined {
  const levels = [...model.inherited(section, host), [...own]];
  const hasOwn = own.some((each) => isContent(each) || activationOf(each) !== undefined);
  const activation = levels.map(activate).findLast((each) => each !== undefined);
  const lists = levels.map((level) => level.filter(isContent)).findLast(({ length }) => length > 0);
  if (!hasOwn || !lists || activation === undefined) return undefined;
  return combine(activation, readHandlers(lists.map(({ args }) => args)));
}

function isContent(directive: Directive): boolean {
  return phaseOf(directive)?.kind === "content";
}

function activate(level: readonly Directive[]): Route["extensions"] | undefined {
  const found = level.map(activationOf).filter((each) => each !== undefined);
  if (found.length === 0) return undefined;
  return found.includes("all") ? "all" : found.flatMap((each) => each);
}

function combine(activation: Route["extensions"], { plain, byExtension }: HandlerList): Route[] {
  const all: Route[] =
    activation === "all" && plain.length > 0 ? [{ extensions: "all", handlers: plain }] : [];
  const extensions = activation === "all" ? [...byExtension.keys()] : activation;
  const groups = new Map<string, { extensions: string[]; handlers: readonly string[] }>();
  for (const extension of extensions) {
    const handlers = byExtension.get(extension) ?? plain;
    const key = handlers.join(" ");
    const group = groups.get(key) ?? { extensions: [], handlers };
    group.extensions.push(extension);
    if (handlers.length > 0) groups.set(key, group);
  }
  return [...all, ...groups.values()];
}

/** Extension of the files that take the place of those in Python; undefined where files have no part in it. */
export function newExtension(handlers: readonly string[]): ".ts" | ".tsp" | undefined {
  if (handlers.includes("mod_python.publisher")) return ".ts";
  return handlers.includes("mod_python.psp") ? ".tsp" : undefined;
}

/** Lines for files with extensions, of which a name may have several, as for `AddHandler`. */
export function forExtensions(
  extensions: readonly string[],
  lines: readonly string[],
  section: Section | undefined,
): string[] {
  const names = extensions.map((each) => escapeRegExp(each.slice(1))).join("|");
  const pattern = `(?i)\\.(?:${names})(?:\\.[^/]*)?$`;
  const inner = lines.map((line) => `    ${line}`);
  // <FilesMatch> is not allowed in a <Location>, nor in another <Files>.
  return isWithin(section, "location", "files", "if")
    ? [`<If "%{REQUEST_FILENAME} =~ m#${pattern}#">`, ...inner, "</If>"]
    : [`<FilesMatch "${pattern}">`, ...inner, "</FilesMatch>"];
}

/**
 * The publisher of mod_python showed no other file of its directory, that of mod_ts does; and a page
 * of another name would be sent as it is. Parts of the section that Apache serves are not concerned.
 */
export function onlyNewFiles(kind: MigratedTree["kind"]): string[] {
  const file = `%{REQUEST_FILENAME} =~ m#\\${kind}$#`;
  return [
    '<If "true">',
    "    AuthMerging And",
    `    Require expr "-z reqenv('MOD_TS_CONTENT') || ! -f %{REQUEST_FILENAME} || ${file}"`,
    "</If>",
  ];
}

/**
 * Guards that name an address or a file in Python do not know the new one. A directory index is
 * asked for by its old name.
 */
export const oldAddressesOnly: readonly string[] = [
  '<If "%{REQUEST_URI} =~ m#\\.tsp?(?:/|$)# && %{REQUEST_FILENAME} =~ m#\\.tsp?$#">',
  "    Require all denied",
  "</If>",
];

/** Of the files that take part in a route: a whole section may be one for files, too. */
export function oldExtensions(
  { extensions, handlers }: Route,
  section: Section | undefined,
): readonly string[] {
  if (extensions !== "all") return extensions;
  const found = extensionsOf(section);
  if (found.length > 0) return found;
  return [newExtension(handlers) === ".ts" ? ".py" : ".psp"];
}

/** `<Files "*.html">`, `<FilesMatch "\.(html|htm)$">`. */
function extensionsOf(section: Section | undefined): string[] {
  if (!section) return [];
  if (section.kind !== "files") return extensionsOf(section.outer);
  const { pattern } = section;
  const source =
    typeof pattern === "string" ? `${pattern.replaceAll(".", "\\.")}$` : pattern.source;
  const [, one, several = ""] = /\\\.(?:(\w+)|\((?:\?:)?([\w|]+)\))\$$/.exec(source) ?? [];
  return (one ?? several)
    .split("|")
    .filter(Boolean)
    .map((each) => `.${each}`);
}

/**
 * Old sources, which no address leads to any more, and their copies; whatever a section for one of
 * them requires.
 */
export function denySources(extensions: readonly string[]): string[] {
  const all = [...new Set([".py", ".pyc", ".pyo", ".psp", ...extensions])];
  const names = all.map((each) => escapeRegExp(each.slice(1))).join("|");
  const pattern = `(?i)\\.(?:${names})(?!\\.tsp?$)(?:\\.[^/]*)?$`;
  return [`<If "%{REQUEST_FILENAME} =~ m#${pattern}#">`, "    Require all denied", "</If>"];
}

/** Lead old addresses to the new files; the address stays, and with it the guards of `<Location>`. */
export function addressRules(
  { uri, path }: Place,
  { extensions, kind }: Omit<MigratedTree, "path">,
  others: readonly Place[],
): string[] {
  const base = uri === "/" ? "" : uri;
  const inner = others
    .map((other) => other.uri)
    .filter((other) => other !== uri && other.startsWith(`${base}/`))
    .map((other) => escapeRegExp(other.slice(base.length)));
  const except = inner.length > 0 ? `(?!(?:${inner.join("|")})(?:/|$))` : "";
  const target = `${path === "/" ? "" : path}/$1${kind}$2`;
  return extensions.map((extension) => {
    const ending = escapeRegExp(extension);
    const name = isUsual(extension, kind) ? `(.+?)${ending}` : `(.+?${ending})`;
    return `AliasMatch "^${escapeRegExp(base)}${except}/${name}(/.*)?$" "${target}"`;
  });
}
