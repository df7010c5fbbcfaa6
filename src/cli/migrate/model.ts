/** What applies to a section of a configuration that is being migrated. */
import {
  type Host,
  isBelow,
  mappingsOf,
  readHosts,
  sampleOf,
  type Section,
  sectionsFor,
  fileOf,
  uriOf,
} from "../../httpd/config-model.ts";
import { isTransparent, type SourceDirective } from "../../httpd/config-source.ts";
import { type Directive, isNamed, splitWords, walk } from "../../httpd/config-tree.ts";
import { needsUser, requiresOf } from "../../httpd/require-lines.ts";
import { asksForPython, excludesPython, phaseOf } from "./python-directives.ts";
import { pathsOf } from "./modules.ts";

/** An address and the directory behind it. */
export interface Place {
  readonly uri: string;
  readonly path: string;
}

export class Model {
  readonly tree: readonly SourceDirective[];
  readonly hosts: readonly Host[];
  /** By the directive in the file, which several sections may include. */
  readonly #sections = new Map<Directive, Section>();

  constructor(tree: readonly SourceDirective[]) {
    this.tree = tree;
    this.hosts = readHosts(tree);
    for (const section of this.hosts.flatMap(({ sections }) => sections)) {
      this.#sections.set(originOf(section.directive), section);
    }
  }

  sectionOf(directive: Directive): Section | undefined {
    return this.#sections.get(originOf(directive));
  }

  hostOf(directive: Directive): Host | undefined {
    const origin = originOf(directive);
    return this.hosts.find((host) => host.directive && originOf(host.directive) === origin);
  }

  get main(): Host {
    return this.hosts[0] as Host;
  }

  /** Directives around a section, and those of it: the outermost first. */
  inherited(section: Section | undefined, host: Host): Directive[][] {
    const outer = outerOf(section);
    const around = (section ? this.#chain(section) : [])
      .filter(({ match }) => match === "yes")
      .map(({ section: each }) => each)
      .filter((each) => each !== section && !outer.includes(each));
    const sections = [...around, ...outer].map(({ content }) => [...content]);
    return [[...(host.main?.plain ?? [])], [...host.plain], ...sections];
  }

  /** Whether `/hello` leads to `hello.py`. */
  hasMultiViews(section: Section | undefined, host: Host): boolean {
    const levels = [...this.inherited(section, host), [...(section?.content ?? [])]];
    const options = levels.flat().filter((each) => isNamed(each, "Options"));
    const last = options.findLast(({ args }) => /multiviews|^"?[^+-]/i.test(args));
    return /(?:^|[\s"+])multiviews/i.test(last?.args ?? "");
  }

  #chain(section: Section): ReturnType<typeof sectionsFor> {
    return sectionsFor(section.host, sampleOf(section, section.host) ?? {});
  }

  /** Other sections, or the server, whose access handlers are asked in this section, too. */
  accessHandlersElsewhere(section: Section): boolean {
    const levels = [section.host.main?.plain ?? [], section.host.plain];
    const others = this.#chain(section).filter(({ section: each }) => each !== section);
    return [...levels, ...others.map(({ section: { content } }) => content)]
      .flat()
      .some((directive) => phaseOf(directive)?.name === "accessHandler");
  }

  /** Whether users are those of another module: a password file, LDAP, a certificate. */
  hasForeignUsers(section: Section): boolean {
    const levels = [...this.inherited(section, section.host), [...section.content]];
    if (levels.flat().some((each) => phaseOf(each)?.name === "authenHandler")) return false;
    const deciding = levels.findLast((level) => requiresOf(level, undefined).length > 0);
    const type = levels.flat().findLast((each) => isNamed(each, "AuthType"))?.args ?? "none";
    return (
      deciding !== undefined &&
      needsUser(requiresOf(deciding, undefined)) &&
      !/^"?(?:none|mod_ts)"?$/i.test(type)
    );
  }

  /** Directories in which Python looks for the modules of a section. */
  moduleDirectories(section: Section | undefined, host: Host, own: readonly Directive[]): string[] {
    const levels = [...this.inherited(section, host), [...(section?.content ?? [])], [...own]];
    const paths = levels.flat().filter((each) => isNamed(each, "PythonPath"));
    const base = section && baseOf(section);
    const directories = [
      ...(base?.kind === "directory" && typeof base.pattern === "string" ? [base.pattern] : []),
      ...pathsOf(splitWords(paths.at(-1)?.args ?? "").join(" ")),
    ];
    return [...new Set(directories)];
  }

  /** Addresses of what a section serves, for each host in which it applies; undefined for a pattern. */
  places(section: Section | undefined, host: Host): Map<Host, Place[]> | undefined {
    const base = section && baseOf(section);
    if (base && typeof base.pattern !== "string") return undefined;
    const hosts = host.main ? [host] : this.hosts;
    return new Map(hosts.map((each) => [each, placesIn(each, base)]));
  }

  /** Addresses in a host that have files or handlers of their own. */
  otherPlaces(host: Host): Place[] {
    const locations = [...(host.main?.sections ?? []), ...host.sections].filter(
      ({ kind, content }) =>
        kind === "location" &&
        content.some((each) => isNamed(each, "SetHandler") || phaseOf(each)?.kind === "content"),
    );
    const handled = locations.flatMap(({ pattern }) =>
      typeof pattern === "string" ? [{ uri: pattern.replace(/(.)\/$/, "$1"), path: "" }] : [],
    );
    return [...placesIn(host, undefined), ...handled];
  }

  /** Whether anything in the configuration satisfies a condition. */
  some(condition: (directive: Directive) => boolean): boolean {
    return [...walk(this.tree)].some(condition);
  }
}

function placesIn(host: Host, base: Section | undefined): Place[] {
  const mappings = mappingsOf(host);
  if (!base) return mappings.map(({ uri, path }) => ({ uri, path }));
  const pattern = base.pattern as string;
  if (base.kind === "location") {
    const path = fileOf(host, pattern);
    return path === undefined ? [] : [{ uri: pattern, path }];
  }
  const below = mappings.filter(({ path }) => isBelow(path, pattern));
  const uri = below.some(({ path }) => path === pattern) ? undefined : uriOf(host, pattern);
  return [
    ...(uri === undefined ? [] : [{ uri, path: pattern }]),
    ...below.map((each) => ({ uri: each.uri, path: each.path })),
  ];
}

/** The sections that a section is nested in, the outermost first. */
function outerOf(section: Section | undefined): Section[] {
  return section?.outer ? [...outerOf(section.outer), section.outer] : [];
}

/** The innermost section around that is a directory or a location. */
export function baseOf(section: Section): Section | undefined {
  for (let each: Section | undefined = section; each; each = each.outer) {
    if (each.kind === "directory" || each.kind === "location") return each;
  }
  return undefined;
}

/** Whether a section, or one around it, is of a kind. */
export function isWithin(section: Section | undefined, ...kinds: readonly string[]): boolean {
  for (let each = section; each; each = each.outer) if (kinds.includes(each.kind)) return true;
  return false;
}

/** The directives of a part: those of `<IfModule mod_python.c>` are among them. */
export function ownOf(nodes: readonly SourceDirective[]): SourceDirective[] {
  return nodes.flatMap((each) => {
    if (excludesPython(each)) return [];
    return asksForPython(each) ? ownOf(each.children) : [each];
  });
}

/** Parts with a condition of their own, such as `<IfDefine X>`. */
export function isConditional(directive: SourceDirective): boolean {
  return isTransparent(directive) && !asksForPython(directive);
}

function originOf(directive: Directive): Directive {
  return (directive as SourceDirective).origin ?? directive;
}
