/**
 * `Use TsModule site.ts`: one module for each phase that it has an export for, access control and
 * filters included. Everything in the section passes the gateway, so that all phases run here; without
 * a content handler, Apache serves the resource in a callback.
 */
import { closest } from "../base/did-you-mean.ts";
import { ModTsError } from "../base/errors.ts";
import { internals, type ModuleSource } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import {
  type Directives,
  type FilterLists,
  type HandlerList,
  phasesBeforeContent,
} from "./directives.ts";
import { defaultNames, type HandlerModule, type PhaseName, phaseNames } from "./handler.ts";
import { type HandlerReference, parseReference } from "./handler-reference.ts";

type Exports = HandlerModule["exports"];

interface SiteModule {
  readonly text: string;
  readonly exports: Exports;
}

/** The last expansion, which holds until a module has another version. */
interface Expansion {
  readonly versions: readonly Exports[];
  readonly directives: Directives;
}

const expansions = {
  request: new WeakMap<Directives, Expansion>(),
  upgrade: new WeakMap<Directives, Expansion>(),
};

/**
 * The directives with the handlers of the modules after those that lines of the section name. Of
 * several modules the innermost counts, for access all of them.
 * @throws ModTsError `MODTS_UNKNOWN_PHASE`, and those of modules that do not load
 */
export async function expandModules(
  directives: Directives,
  source: ModuleSource,
  kind: keyof typeof expansions,
): Promise<Directives> {
  const modules = await Promise.all(
    directives.modules.map(async ({ text }): Promise<SiteModule> => {
      const module = await source.load(text, anyExport);
      requireKnown(module);
      return { text, exports: module.exports };
    }),
  );
  const versions = modules.map(({ exports }) => exports);
  const known = expansions[kind].get(directives);
  if (known?.versions.every((version, at) => version === versions[at])) return known.directives;
  const expanded = expand(directives, modules, kind);
  expansions[kind].set(directives, { versions, directives: expanded });
  return expanded;
}

/** RFC 9110, section 15.5.2: a 401 needs a challenge. Apache does not know that there is one. */
export function addChallenge(req: ApacheRequest): void {
  const name = "WWW-Authenticate";
  if (req[internals].response.begun) return;
  if (req.errHeadersOut.has(name) || req.headersOut.has(name)) return;
  req.errHeadersOut.set(name, `Basic realm="${req.server.serverHostname}"`);
}

/** Attack: a save that loses one of them, half a file for example, would open its section. */
export const guardExports: readonly string[] = [
  defaultNames.access,
  defaultNames.authen,
  defaultNames.authz,
];

export const socketExports = ["webSocketHandler", "connectionHandler"];
const filterExports = { output: "outputFilter", input: "inputFilter" } as const;
const contentExports = [defaultNames.handler, "default"];
const knownExports = [...Object.values(defaultNames), ...socketExports, "upgradeHandler"];
const exportNames = [...knownExports, "default", ...Object.values(filterExports)];
const anyExport = exportNames.join("|");

/**
 * Attack: a misspelled `acessHandler` would be a site without access control; so would an unfinished
 * module.
 * @throws ModTsError `MODTS_MISSING_EXPORT`, `MODTS_UNKNOWN_PHASE`
 */
export function requireKnown({ file, exports }: { file: string; exports: Exports }): void {
  const names = Object.keys(exports);
  const wrong = names.find(
    (name) => /(?:handler|filter)$/i.test(name) && !exportNames.includes(name),
  );
  if (wrong === undefined) {
    if (exportNames.some((name) => names.includes(name))) return;
    const hint = "Use TsModule needs at least one phase";
    throw new ModTsError("MODTS_MISSING_EXPORT", { module: file, name: "accessHandler", hint });
  }
  const near = closest(wrong, exportNames);
  const hint = near ? `did you mean ${near}?` : "rename it";
  throw new ModTsError("MODTS_UNKNOWN_PHASE", { module: file, name: wrong, hint });
}

function expand(
  directives: Directives,
  modules: readonly SiteModule[],
  kind: keyof typeof expansions,
): Directives {
  const handlers = new Map(directives.handlers);
  for (const phase of phaseNames) {
    const having = modules.filter(({ exports }) => hasPhase(exports, phase, kind));
    const used = phase === "access" ? having : having.slice(-1);
    const added = used.map(({ text }) => parseReference(text));
    if (phase === "handler") {
      // A TsHandler in the section decides.
      if (handlers.has(phase)) continue;
      if (added.length === 0) added.push(parseReference("mod_ts/origin"));
    }
    if (added.length > 0) handlers.set(phase, append(handlers.get(phase), added));
  }
  const beforeContent = phasesBeforeContent.filter((phase) => handlers.has(phase));
  const filters = appendFilters(directives.filters, modules);
  return Object.freeze({ ...directives, handlers, beforeContent, filters });
}

function hasPhase(exports: Exports, phase: PhaseName, kind: keyof typeof expansions): boolean {
  const own = (name: string): boolean => Object.hasOwn(exports, name);
  if (phase !== "handler") return own(defaultNames[phase]);
  return contentExports.some(own) || (kind === "upgrade" && socketExports.some(own));
}

function append(list: HandlerList | undefined, added: readonly HandlerReference[]): HandlerList {
  if (!list) return { plain: added, byExtension: new Map(), addsUp: false };
  const byExtension = [...list.byExtension].map(
    ([extension, own]) => [extension, [...own, ...added]] as const,
  );
  return { ...list, plain: [...list.plain, ...added], byExtension: new Map(byExtension) };
}

function appendFilters(
  lists: FilterLists | undefined,
  modules: readonly SiteModule[],
): FilterLists | undefined {
  const filtersOf = (direction: keyof FilterLists): FilterLists["output"] =>
    modules
      .filter(({ exports }) => Object.hasOwn(exports, filterExports[direction]))
      .map(({ text }) => ({ reference: parseReference(text), types: [] }));
  const output = [...(lists?.output ?? []), ...filtersOf("output")];
  const input = [...(lists?.input ?? []), ...filtersOf("input")];
  return output.length + input.length > 0 ? { output, input } : undefined;
}
