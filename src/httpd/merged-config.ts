/** The merged configuration with what is ours in it. */
import { readFileSync } from "node:fs";
import { getOrCreate } from "../base/cache.ts";
import {
  type AppliedSection,
  type Host,
  readHosts,
  sampleOf,
  type Section,
  sectionsFor,
  type Target,
} from "./config-model.ts";
import { type Directive, isNamed, parseConfigTree, splitWords } from "./config-tree.ts";
import {
  describePlace,
  findConfFile,
  isAsking,
  isOurs,
  type OurDirective,
  readOurs,
} from "./our-directives.ts";
import type { Httpd } from "./find.ts";
import { dumpConfig, includedFiles, loadedModules } from "./query.ts";
import { grantsAll, grantsNothing, requiresOf } from "./require-lines.ts";

export class MergedConfig {
  readonly tree: readonly Directive[];
  /** Path of `mod_ts.conf`; undefined if it is not included. */
  readonly confFile: string | undefined;
  /** The main server first. */
  readonly hosts: readonly Host[];
  /** Those that can get a request. */
  readonly #serving: readonly Host[];
  /** Sections that administrators wrote. */
  readonly sections: readonly Section[];
  readonly #ours = new Map<Section, readonly OurDirective[]>();
  readonly #chains = new Map<Host, Map<Section, readonly AppliedSection[]>>();

  /** E.g. `mod_headers`. */
  readonly modules: readonly string[];
  /** The main configuration file and all includes. */
  readonly files: readonly string[];

  /** @param dump output of `httpd -t -D DUMP_CONFIG` */
  constructor(
    dump: string,
    { modules = [], files = [] }: { modules?: readonly string[]; files?: readonly string[] } = {},
  ) {
    this.modules = modules;
    this.files = files;
    this.tree = parseConfigTree(dump);
    this.confFile = findConfFile(this.tree);
    this.hosts = readHosts(this.tree);
    this.#serving = readServing(this.hosts);
    this.sections = this.hosts
      .flatMap(({ sections }) => sections)
      .filter(({ directive }) => !isOurs(directive, this.confFile));
  }

  /** Our lines in a section, without those of nested sections. */
  ours(section: Section): readonly OurDirective[] {
    return getOrCreate(this.#ours, section, () => readOurs(section.content, this.confFile));
  }

  /** All our lines, each once: with an authorizer, most macros write two. */
  get lines(): OurDirective[] {
    const lines = [
      ...this.hosts.flatMap((host) => this.serverLines(host)),
      ...this.sections.flatMap((section) => this.ours(section)),
    ];
    const byText = lines.map((each) => [`${each.where} ${each.kind} ${each.value}`, each] as const);
    return [...new Map(byText).values()];
  }

  /** Our lines outside of sections, those of the main server included. */
  serverLines({ plain, main }: Host): OurDirective[] {
    return readOurs([...(main?.plain ?? []), ...plain], this.confFile);
  }

  /** The hosts in which a section can apply. */
  hostsOf({ host }: Section): readonly Host[] {
    return host.main ? [host] : this.#serving;
  }

  /** All sections that can apply where `section` does, in the order of merging. */
  chain(section: Section, host: Host): readonly AppliedSection[] {
    const known = getOrCreate(this.#chains, host, () => new Map());
    return getOrCreate(known, section, () => readChain(section, host));
  }

  requires({ content }: Section): Directive[] {
    return requiresOf(content, this.confFile);
  }

  /** The section whose `Require` lines replace all earlier ones; undefined if that is not certain. */
  deciding(chain: readonly AppliedSection[]): Section | undefined {
    const at = chain.findLastIndex(
      ({ section, match }) => match === "yes" && this.#decides(section),
    );
    const isDoubtful = chain.some(
      ({ section, match }, index) =>
        this.last(section, "AuthMerging") !== undefined ||
        (match === "maybe" && index > at && !grantsNothing(this.requires(section))),
    );
    return isDoubtful ? undefined : chain[at]?.section;
  }

  #decides(section: Section): boolean {
    return this.requires(section).length > 0 || this.ours(section).some(isAsking);
  }

  /** Whether everybody gets a file: nothing restricts it, and that is certain. */
  isPublic(host: Host, target: Target): boolean {
    const chain = sectionsFor(host, target);
    const deciding = this.deciding(chain);
    if (deciding) return grantsAll(this.requires(deciding));
    return chain.every(({ section }) => !this.#decides(section));
  }

  last({ content }: Section, name: string): Directive | undefined {
    return content.findLast((each) => isNamed(each, name) && !isOurs(each, this.confFile));
  }

  where(directive: Directive): string {
    return describePlace(directive, this.confFile);
  }

  /** The line that gives a variable its value; the dump has none. */
  whereDefined(name: string, value: string): string | undefined {
    for (const file of this.files) {
      const lines = readFileSync(file, "utf8").split("\n");
      const index = lines.findIndex((line) => {
        const [directive = "", ...words] = splitWords(line);
        return /^define$/i.test(directive) && words[0] === name && words[1] === value;
      });
      if (index >= 0) return `${file}:${index + 1}`;
    }
    return undefined;
  }
}

/** Undefined if the configuration is invalid, or without mod_info. */
export async function readMergedConfig(
  httpd: Httpd,
  configFile?: string,
): Promise<MergedConfig | undefined> {
  const dump = await dumpConfig(httpd, configFile);
  const modules = await loadedModules(httpd, configFile);
  const files = await includedFiles(httpd, configFile);
  if (dump === undefined || !modules || !files) return undefined;
  return new MergedConfig(dump, { modules, files });
}

/** Without the main server, if virtual hosts take every address that httpd listens on, as on Debian. */
function readServing(hosts: readonly Host[]): readonly Host[] {
  const [main, ...virtual] = hosts;
  const listening = (main?.plain ?? []).filter((each) => isNamed(each, "Listen"));
  const taken = new Set(virtual.flatMap(({ directive }) => splitWords(directive?.args ?? "")));
  const hasTls = main?.plain.some(
    (each) => isNamed(each, "SSLEngine") && !/^off$/i.test(each.args),
  );
  const isTaken = ({ args }: Directive): boolean => {
    const [address = ""] = splitWords(args);
    const port = address.slice(address.lastIndexOf(":") + 1);
    // Debian's mod_ssl listens there before any host with TLS is enabled.
    if (port === "443" && !hasTls) return true;
    const names = ["*", `*:${port}`, `_default_:${port}`, address];
    return names.some((name) => taken.has(name));
  };
  return listening.length > 0 && listening.every(isTaken) ? virtual : hosts;
}

function readChain(section: Section, host: Host): AppliedSection[] {
  const applied = sectionsFor(host, sampleOf(section, host) ?? {});
  return applied.map((each) => {
    const isSure = each.section === section || isOuter(each.section, section);
    return isSure ? { ...each, match: "yes" as const } : each;
  });
}

function isOuter(candidate: Section, section: Section): boolean {
  for (let { outer } = section; outer; outer = outer.outer) if (outer === candidate) return true;
  return false;
}

/** `<Location "/a">`. */
export function titleOf({ directive }: Section): string {
  return `<${directive.name} ${directive.args}>`;
}
