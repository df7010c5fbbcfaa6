/** The directives of mod_python that name handlers, and their counterparts. */
import { type Directive, isNamed } from "../../httpd/config-tree.ts";

export interface PythonPhase {
  /** Name of the function in Python. */
  readonly python: string;
  /** Name of the export in TypeScript. */
  readonly name: string;
  readonly macro: string;
  readonly kind: "content" | "guard" | "phase" | "log";
}

/** `PythonAccessHandler` calls `accesshandler`; `TsAccessHandler` calls the export `accessHandler`. */
function phase(stem: string, kind: PythonPhase["kind"], own = stem): [string, PythonPhase] {
  const python = `${stem.toLowerCase()}handler`;
  const name = `${own}Handler`.replace(/^./, (letter) => letter.toLowerCase());
  return [`python${python}`, { python, name, macro: `Ts${own}Handler`, kind }];
}

/** By the name of the directive in lower case; in the order of a request. */
export const phases: Readonly<Record<string, PythonPhase>> = Object.fromEntries([
  phase("PostReadRequest", "phase", "Init"),
  phase("Trans", "phase"),
  phase("Init", "phase"),
  phase("HeaderParser", "phase"),
  phase("Access", "guard"),
  phase("Authen", "guard"),
  phase("Authz", "guard"),
  phase("Type", "phase"),
  phase("Fixup", "phase"),
  phase("", "content"),
  phase("Log", "log"),
  phase("Cleanup", "log"),
]);

export function phaseOf(directive: Directive): PythonPhase | undefined {
  return phases[directive.name.toLowerCase()];
}

/** Directives that take part in no request, and have no counterpart. */
export const dropped: Readonly<Record<string, string>> = {
  pythonenablepdb: "see mod-ts dev --inspect",
  pythonoptimize: "Node.js has no such switch",
  pythoninterpperdirectory: "modules are told apart by their path",
  pythoninterpperdirective: "modules are told apart by their path",
};

/** Handlers for all files, and those for extensions. */
export interface HandlerList {
  /** E.g. `hello`, `hello::site.page`. */
  readonly plain: readonly string[];
  /** By extension, with its dot. */
  readonly byExtension: ReadonlyMap<string, readonly string[]>;
}

/** Directives of one section and phase add up. */
export function readHandlers(args: readonly string[]): HandlerList {
  const plain: string[] = [];
  const byExtension = new Map<string, string[]>();
  for (const each of args) {
    const [list = "", extensions = ""] = each.split("|");
    const handlers = list.split(/\s+/).filter(Boolean);
    const endings = extensions.split(/\s+/).filter(Boolean);
    if (endings.length === 0) plain.push(...handlers);
    for (const ending of endings) {
      byExtension.set(ending, [...(byExtension.get(ending) ?? []), ...handlers]);
    }
  }
  return { plain, byExtension };
}

/** `SetHandler mod_python`, or the extensions of `AddHandler mod_python`. */
export function activationOf(directive: Directive): "all" | string[] | undefined {
  const [handler = "", ...extensions] = directive.args.replaceAll('"', "").split(/\s+/);
  if (!/^(?:mod_python|python-program)$/i.test(handler)) return undefined;
  if (isNamed(directive, "SetHandler")) return "all";
  if (!isNamed(directive, "AddHandler")) return undefined;
  return extensions.filter(Boolean).map((each) => (each.startsWith(".") ? each : `.${each}`));
}

/** Whether a line is there because of mod_python. */
export function isPython(directive: Directive): boolean {
  if (/^python/i.test(directive.name)) return true;
  if (isNamed(directive, "LoadModule")) return /^python_module\b/i.test(directive.args);
  return activationOf(directive) !== undefined;
}

/** `<IfModule mod_python.c>`, which does not hold without mod_python: its guards would be lost. */
export function asksForPython(directive: Directive): boolean {
  return (
    isNamed(directive, "IfModule") && /^"?(?:mod_python\.c|python_module)"?$/i.test(directive.args)
  );
}

/** `<IfModule !mod_python.c>`, which holds without mod_python: what it opens was closed. */
export function excludesPython(directive: Directive): boolean {
  return (
    isNamed(directive, "IfModule") && /^"?!(?:mod_python\.c|python_module)"?$/i.test(directive.args)
  );
}
