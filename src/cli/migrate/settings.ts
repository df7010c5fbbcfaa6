/** Directives of mod_python that name no phase: options, pools, reload, modules at start-up. */
import type { Host } from "../../httpd/config-model.ts";
import type { SourceDirective } from "../../httpd/config-source.ts";
import { isNamed, splitWords } from "../../httpd/config-tree.ts";
import { denyAll, type Edits } from "./edits.ts";
import { convertSatisfy } from "./guards.ts";
import type { Modules } from "./modules.ts";
import { dropped, isPython } from "./python-directives.ts";

/** What the sidecar needs to know. */
export interface SidecarNeeds {
  readonly pools: Set<string>;
  readonly preload: Set<string>;
  /** Ports by the handler of their connections. */
  readonly connections: Map<string, number>;
  hasGuards: boolean;
  hasFilters: boolean;
  hasLogs: boolean;
  isManual: boolean;
}

/** Where a directive is. */
export interface SettingPlace {
  readonly conversion: {
    readonly edits: Edits;
    readonly modules: Modules;
    readonly needs: SidecarNeeds;
    readonly hasGuards: boolean;
    readonly hasContent: boolean;
    readonly accessFiles: ReadonlySet<string>;
  };
  /** Of Python modules. */
  readonly directories: readonly string[];
  readonly host: Host;
}

type Convert = (directive: SourceDirective, words: readonly string[], place: SettingPlace) => void;

/** By the name of the directive in lower case. */
const converters: Readonly<Record<string, Convert>> = {
  loadmodule: (directive, _words, { conversion: { edits } }) => {
    if (!isPython(directive)) return;
    edits.replace(directive, "# mod_ts.conf names the modules that it needs");
  },
  satisfy: (directive, [word = ""], { conversion: { edits, hasGuards, accessFiles } }) => {
    if (!hasGuards || !/^any$/i.test(word)) return;
    convertSatisfy(directive, accessFiles.has(directive.place.file), edits);
  },
  sethandler: keepStatic,
  pythonoption: convertOption,
  pythondebug: (directive, [word], { conversion: { edits } }) =>
    edits.replace(directive, `Use TsDebug ${isOn(word) ? "On" : "Off"}`),
  pythoninterpreter: convertInterpreter,
  pythonautoreload: (directive, [word], { conversion: { edits, needs } }) => {
    if (!isOn(word)) needs.isManual = true;
    edits.replace(directive, "# reload.freshness in mod-ts.config.ts");
  },
  pythonimport: convertImport,
  pythonpath: (directive, _words, { conversion: { edits } }) =>
    edits.replace(directive, "# handlers in mod-ts.config.ts; packages come from node_modules"),
  pythonconnectionhandler: closeHost,
};

export function convertSetting(directive: SourceDirective, place: SettingPlace): void {
  const { edits } = place.conversion;
  const name = directive.name.toLowerCase();
  const convert = Object.hasOwn(converters, name) ? converters[name] : undefined;
  if (convert) return convert(directive, splitWords(directive.args), place);
  if (dropped[name] !== undefined) return edits.replace(directive, `# ${dropped[name]}`);
  if (!name.startsWith("python") || isNamed(directive, "PythonHandlerModule")) return;
  if (edits.of(directive)) return;
  edits.close(directive, `${directive.name} is no directive that mod_ts knows`);
}

/** `SetHandler None` below a content handler: what was static stays static. */
function keepStatic(directive: SourceDirective, _: unknown, { conversion }: SettingPlace): void {
  if (!conversion.hasContent) return;
  if (!/^"?(?:none|default-handler)"?$/i.test(directive.args)) return;
  const isNone = /none/i.test(directive.args);
  const lines = ["Use TsNoHandler", ...(isNone ? [] : [directive.raw.trim()])];
  conversion.edits.replace(directive, ...lines);
}

function convertOption(
  directive: SourceDirective,
  [key = "", value = ""]: readonly string[],
  { conversion: { edits, hasGuards } }: SettingPlace,
): void {
  if (value === "") return edits.replace(directive, `Use TsNoOption ${quote(key)}`);
  // A macro reads quotes twice, and mod_headers reads % as a format.
  const escaped = escapeQuotes(escapeQuotes(value)).replaceAll("%", "%%");
  edits.replace(directive, `Use TsOption ${quote(key)} "${escaped}"`);
  if (/[\\$]/.test(value) || (value.includes("%") && hasGuards)) {
    const text = "\\, $ and % mean something to Apache: see what req.getOptions() returns";
    edits.byHand(directive, text);
  }
  if (key.startsWith("mod_python.") || /^(?:session|ApplicationPath|PSPDbmCache)/.test(key)) {
    const text = "an option of mod_python itself, which mod_ts does not read: see docs/sessions.md";
    edits.byHand(directive, text);
  }
}

function convertInterpreter(
  directive: SourceDirective,
  [name = ""]: readonly string[],
  { conversion: { edits, needs } }: SettingPlace,
): void {
  if (/^main(?:_interpreter)?$/.test(name)) return edits.replace(directive, "# the pool main");
  const plain = name.replaceAll(/[^\w-]/g, "-");
  const isAllowed = /^[a-z]/i.test(plain) && plain !== "guards";
  const pool = (isAllowed ? plain : `pool-${plain}`).slice(0, 32);
  needs.pools.add(pool);
  edits.replace(directive, `Use TsInterpreter ${pool}`);
}

function convertImport(
  directive: SourceDirective,
  [spec = ""]: readonly string[],
  { conversion: { edits, modules, needs }, directories }: SettingPlace,
): void {
  const [module = "", called] = spec.split("::");
  needs.preload.add(modules.preload(module, called, directories));
  edits.replace(directive, "# preload in mod-ts.config.ts");
  if (called === undefined) return;
  edits.byHand(directive, `call ${called}() at the top level of the module`);
}

/** Files of a host that spoke another protocol were never served over HTTP. */
function closeHost(
  directive: SourceDirective,
  [handler = ""]: readonly string[],
  { conversion: { edits, modules, needs }, directories, host }: SettingPlace,
): void {
  const port = Number(/:(\d+)/.exec(host.directive?.args ?? "")?.[1] ?? 0);
  needs.connections.set(modules.connection(handler, directories), port);
  const where = host.directive ? "this virtual host" : "this server";
  const [, ...rest] = denyAll;
  edits.close(
    directive,
    `Apache would serve the files of ${where} over HTTP. Delete it and its Listen, and see connections in mod-ts.config.ts`,
    ['<If "true">', "    AuthMerging And", ...rest],
  );
}

function isOn(value: string | undefined): boolean {
  return /^on$/i.test(value ?? "");
}

/** Written without quotes where none are needed. */
export function quote(text: string): string {
  return /^[^\s"'\\]+$/.test(text) ? text : `"${escapeQuotes(text)}"`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll(/["\\]/g, "\\$&");
}
