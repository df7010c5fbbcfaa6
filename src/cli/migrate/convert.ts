/** A configuration of mod_python, directive by directive, as one of mod_ts. */
import { getOrCreate } from "../../base/cache.ts";
import { isDirectory } from "../../base/files.ts";
import { fileOf, type Host, type Section } from "../../httpd/config-model.ts";
import { flatten, type SourceDirective, type SourceFile } from "../../httpd/config-source.ts";
import { isNamed } from "../../httpd/config-tree.ts";
import {
  addressRules,
  denySources,
  forExtensions,
  newExtension,
  oldAddressesOnly,
  oldExtensions,
  onlyNewFiles,
  type Route,
  routesOf,
} from "./content.ts";
import { denyAll, Edits } from "./edits.ts";
import { convertFilters, readFilters } from "./filters.ts";
import { closeOverlap, convertGuards } from "./guards.ts";
import { isConditional, Model, ownOf } from "./model.ts";
import { findModule, isBuiltIn, Modules } from "./modules.ts";
import {
  activationOf,
  excludesPython,
  isPython,
  phaseOf,
  phases,
  type PythonPhase,
  readHandlers,
} from "./python-directives.ts";
import { closeOldNames } from "./old-names.ts";
import { functionNames } from "./python-source.ts";
import type { MigratedTree } from "./trees.ts";
import { convertSetting, quote, type SidecarNeeds } from "./settings.ts";

export class Conversion {
  readonly edits = new Edits();
  readonly modules = new Modules();
  readonly trees: MigratedTree[] = [];
  /** In which the sidecar runs files. */
  readonly directories = new Set<string>();
  readonly needs: SidecarNeeds = {
    pools: new Set(),
    preload: new Set(),
    connections: new Map(),
    hasGuards: false,
    hasFilters: false,
    hasLogs: false,
    isManual: false,
  };
  /** Rules for old addresses, by host. */
  readonly addresses = new Map<Host, Set<string>>();
  readonly model: Model;
  readonly #filters: ReadonlyMap<string, SourceDirective>;
  readonly hasGuards: boolean;
  readonly hasContent: boolean;
  /** `.htaccess` files, which stay where they are. */
  readonly accessFiles: ReadonlySet<string>;

  constructor(source: SourceFile) {
    const directories = source.content.filter(({ place }) => place.line === 0);
    this.accessFiles = new Set(directories.map(({ place }) => place.file));
    this.model = new Model(flatten(source, excludesPython));
    this.#filters = readFilters(this.model);
    this.hasGuards = this.model.some(
      (each) => phaseOf(each)?.kind === "guard" || isNamed(each, "PythonHandlerModule"),
    );
    this.hasContent = this.model.some((each) => activationOf(each) !== undefined);
    this.#visit(source.content, source, undefined, this.model.main);
    closeOldNames(source, this.trees, this.edits);
  }

  #visit(
    nodes: readonly SourceDirective[],
    source: SourceFile,
    section: Section | undefined,
    host: Host,
  ): void {
    const expanded = new Map(
      ownOf(nodes).map((each) => [each, this.#expandModule(each, section, host)]),
    );
    this.#convertPart([...expanded.values()].flat(), section, host);
    for (const [each, parts] of expanded) {
      if (parts[0] === each || parts.length === 0) continue;
      this.edits.replace(each, ...parts.flatMap((part) => this.edits.of(part)?.lines ?? []));
    }
    for (const each of ownOf(nodes)) {
      this.#nameUnread(each, source);
      for (const inner of source.includes.get(each) ?? []) {
        this.#visit(inner.content, inner, section, host);
      }
      if (!each.isSection) continue;
      if (isNamed(each, "VirtualHost")) {
        this.#visit(each.children, source, undefined, this.model.hostOf(each) ?? host);
      } else if (!isConditional(each) && !this.model.sectionOf(each)) {
        this.#refuseInside(each);
      } else {
        const inner = this.model.sectionOf(each) ?? section;
        const isOther = inner && inner !== section;
        if (isOther && this.hasGuards) closeOverlap(each, inner, this.model, this.edits);
        this.#visit(each.children, source, inner, host);
      }
    }
  }

  /** Sections that were not read may open what they overlap. */
  #nameUnread(directive: SourceDirective, { includes }: SourceFile): void {
    if (includes.get(directive)?.length !== 0) return;
    if (isNamed(directive, "IncludeOptional") && !directive.args.includes("${")) return;
    this.edits.add(directive);
    this.edits.byHand(directive, "not read: no such file here; see --root for relative paths");
  }

  /** `<Limit>`, which limits no directive but `Require` to its methods, and `<Proxy>`. */
  #refuseInside(directive: SourceDirective): void {
    const isLimit = isNamed(directive, "Limit", "LimitExcept");
    for (const each of ownOf(directive.children).filter(isPython)) {
      const text = `not possible in <${directive.name}>: write a <Location>, and test req.method in the handler`;
      this.edits.close(each, text, isLimit ? [] : denyAll);
      if (isLimit) this.edits.addBehind(directive, denyAll);
    }
  }

  #convertPart(own: readonly SourceDirective[], section: Section | undefined, host: Host): void {
    const directories = this.model.moduleDirectories(section, host, own);
    this.#convertContent(own, section, host, directories);
    this.#convertGuards(own, section, directories);
    for (const [name, phase] of Object.entries(phases)) {
      if (phase.kind === "content" || phase.kind === "guard") continue;
      const found = own.filter((each) => each.name.toLowerCase() === name);
      this.#convertPhase(found, phase, directories);
    }
    convertFilters(own, section, this.#filters, this.edits, (spec, direction) => {
      this.needs.hasFilters = true;
      return this.modules.filter(spec, directories, direction);
    });
    for (const each of own) {
      convertSetting(each, { conversion: this, directories, host });
    }
  }

  #convertContent(
    own: readonly SourceDirective[],
    section: Section | undefined,
    host: Host,
    directories: readonly string[],
  ): void {
    const named = own.filter((each) => phaseOf(each)?.kind === "content");
    const switches = own.filter((each) => activationOf(each) !== undefined);
    const [first, ...rest] = [...named, ...switches];
    if (!first) return;
    const routes = routesOf(own, section, host, this.model);
    if (!routes) return this.#withoutRoutes(named, switches, section);
    const lines = routes.flatMap((route) =>
      this.#convertRoute(route, first, section, host, directories),
    );
    const ported = routes.filter(({ handlers }) => newExtension(handlers));
    const old = ported.flatMap((route) => oldExtensions(route, section));
    if (ported.length > 0) lines.push(...denySources(old), ...oldAddressesOnly);
    this.edits.replace(first, ...lines);
    for (const each of rest) this.edits.replace(each, "# in Use TsHandler");
  }

  /** The other half is in another section. */
  #withoutRoutes(
    named: readonly SourceDirective[],
    switches: readonly SourceDirective[],
    section: Section | undefined,
  ): void {
    for (const each of named) {
      this.edits.replace(each, "# for the sections with SetHandler or AddHandler");
    }
    const isNowhere = !this.model.some((each) => phaseOf(each)?.kind === "content");
    for (const each of switches) {
      const files = activationOf(each) ?? "all";
      if (isNowhere) this.#closeUnknown(each, files, section);
      else this.edits.replace(each, "# for the sections with PythonHandler");
    }
  }

  #closeUnknown(
    directive: SourceDirective,
    files: Route["extensions"],
    section: Section | undefined,
  ): void {
    const text = "the PythonHandler of this section is not in the files that were read";
    const denied = ["Require all denied"];
    const denial = files === "all" ? denyAll : forExtensions(files, denied, section);
    this.edits.close(directive, text, denial);
  }

  #convertRoute(
    { extensions, handlers }: Route,
    directive: SourceDirective,
    section: Section | undefined,
    host: Host,
    directories: readonly string[],
  ): string[] {
    const phase = phases["pythonhandler"]!;
    const references = handlers.map((each) => this.modules.reference(each, phase, directories));
    const use = `Use TsHandler ${quote(references.join(" "))}`;
    const extension = newExtension(handlers);
    for (const each of handlers) this.#nameUnknown(directive, each, directories);
    if (handlers.includes("mod_python.cgihandler")) this.#addScripts(directive, section, host);
    if (extension === undefined) {
      if (extensions !== "all") return forExtensions(extensions, [use], section);
      return [use, ...(isDirectoryToo(section, host) ? directoryWithoutSlash : [])];
    }
    const tree = { extensions: oldExtensions({ extensions, handlers }, section), kind: extension };
    this.#keepAddresses(tree, directive, section, host);
    return extensions === "all"
      ? [use, ...onlyNewFiles(extension)]
      : forExtensions([extension], [use], section);
  }

  #nameUnknown(directive: SourceDirective, handler: string, directories: readonly string[]): void {
    const [module = ""] = handler.split("::");
    if (isBuiltIn(module) || findModule(module, directories)) return;
    const text = `${module} was not found. For an application that stays in Python, run a server of its own, and write SetHandler "proxy:http://…" in place of Use TsHandler`;
    this.edits.byHand(directive, text);
  }

  #addScripts(directive: SourceDirective, section: Section | undefined, host: Host): void {
    const places = [...(this.model.places(section, host)?.values() ?? [])].flat();
    for (const { path } of places) this.directories.add(path);
    const text = "mod_ts/cgi runs executable files that begin with #!, in directories of handlers";
    this.edits.byHand(directive, text);
  }

  #keepAddresses(
    tree: Omit<MigratedTree, "path">,
    directive: SourceDirective,
    section: Section | undefined,
    host: Host,
  ): void {
    const { extensions } = tree;
    const places = this.model.places(section, host);
    if (!places || [...places.values()].every(({ length }) => length === 0)) {
      const text = `old addresses (${extensions.join(" ")}) need AliasMatch lines: the addresses of this section are not known here`;
      this.edits.byHand(directive, text);
    }
    if (this.model.hasMultiViews(section, host)) {
      const text = `addresses without ${extensions.join(" ")}, by Options MultiViews, need AliasMatch lines: they are 404 now`;
      this.edits.byHand(directive, text);
    }
    for (const [each, found] of places ?? []) {
      for (const { path } of found) {
        this.trees.push({ path, ...tree });
        this.directories.add(path);
      }
      // Virtual hosts inherit the rules of the main server, and have files of their own.
      if (found.length === 0 || (!each.main && this.model.hosts.length > 1)) continue;
      const all = this.model.otherPlaces(each);
      const rules = getOrCreate(this.addresses, each, () => new Set());
      for (const place of found) {
        for (const rule of addressRules(place, tree, all)) rules.add(rule);
      }
    }
  }

  #convertGuards(
    own: readonly SourceDirective[],
    section: Section | undefined,
    directories: readonly string[],
  ): void {
    const at = new Map<string, SourceDirective[]>();
    for (const each of own) {
      const phase = phaseOf(each);
      if (phase?.kind === "guard") at.set(phase.name, [...(at.get(phase.name) ?? []), each]);
    }
    if (at.size === 0) return;
    this.needs.hasGuards = true;
    const lists = (directives: readonly SourceDirective[], name?: string): string[] =>
      this.#lists(directives, directories).map((list) =>
        name === undefined || list.includes("::") ? list : `${list}::${name}`,
      );
    convertGuards({ at, lists }, section, this.model, this.edits);
  }

  #convertPhase(
    found: readonly SourceDirective[],
    phase: PythonPhase,
    directories: readonly string[],
  ): void {
    const [first, ...rest] = found;
    if (!first) return;
    if (phase.kind === "log") this.needs.hasLogs = true;
    else this.needs.hasFilters = true;
    const lists = this.#lists(found, directories);
    this.edits.replace(first, ...lists.map((list) => `Use ${phase.macro} ${list}`));
    for (const each of rest) this.edits.replace(each, "# in the directive above");
    if (phase.name !== "transHandler") return;
    const text =
      "a translation leads to addresses of this server, or to files below its document root";
    this.edits.byHand(first, text);
  }

  /** The arguments of a macro, one for each list of handlers. */
  #lists(directives: readonly SourceDirective[], directories: readonly string[]): string[] {
    const phase = phaseOf(directives[0]!)!;
    const { plain, byExtension } = readHandlers(directives.map(({ args }) => args));
    const references = (handlers: readonly string[]): string =>
      handlers.map((each) => this.modules.reference(each, phase, directories)).join(" ");
    return [
      ...(plain.length > 0 ? [quote(references(plain))] : []),
      ...[...byExtension].map(([extension, handlers]) =>
        quote(`${references(handlers)} | ${extension}`),
      ),
    ];
  }

  /** `PythonHandlerModule` stands for the phases for which the module has a function. */
  #expandModule(
    directive: SourceDirective,
    section: Section | undefined,
    host: Host,
  ): SourceDirective[] {
    if (!isNamed(directive, "PythonHandlerModule")) return [directive];
    const directories = this.model.moduleDirectories(section, host, [directive]);
    const { plain } = readHandlers([directive.args]);
    const files = plain.map((each) => findModule(each, directories));
    const isKnown = files.length > 0 && files.every((file) => file !== undefined);
    if (!isKnown || directive.args.includes("|")) {
      this.edits.close(
        directive,
        `the functions of ${directive.args} are not known here: write one directive for each phase, or Use TsModule`,
      );
      return [];
    }
    return Object.entries(phases).flatMap(([name, phase]) => {
      const modules = plain.filter((_, index) => functionNames(files[index]!).has(phase.python));
      return modules.length === 0 ? [] : [{ ...directive, name, args: modules.join(" ") }];
    });
  }
}

/** mod_python computed no file in a `<Location>`, so that mod_dir did not redirect it. */
const directoryWithoutSlash = ["DirectorySlash Off", "DirectoryCheckHandler On"];

function isDirectoryToo(section: Section | undefined, host: Host): boolean {
  if (section?.kind !== "location" || typeof section.pattern !== "string") return false;
  const file = section.pattern === "/" ? undefined : fileOf(host, section.pattern);
  return file !== undefined && isDirectory(file);
}
