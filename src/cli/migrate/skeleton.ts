/** TypeScript modules in the places of Python ones: the signatures, and a refusal in each function. */
import type { NeededExport, NeededModule } from "./modules.ts";
import { phases } from "./python-directives.ts";
import type { Parameter, PythonFunction, PythonModule } from "./python-source.ts";

const nothing: PythonModule = { functions: [], classes: [], values: [] };

/** A module of handlers, for what the configuration names, and for phases that it has functions for. */
export function handlerSkeleton(
  { python, source, exports }: NeededModule,
  module = nothing,
): string {
  const named = new Set(exports.map(({ path }) => path));
  const more = Object.values(phases)
    .filter((phase) => module.functions.some(({ name }) => name === phase.python))
    .filter(({ name }) => !named.has(name))
    .map((phase): NeededExport => ({ path: phase.name, phase, kind: "handler" }));
  const unique = new Map([...exports, ...more].map((each) => [each.path, each]));
  const bodies = [...unique.values()].map((each) => exported(each, module));
  const from = source ?? `${python}, which was not found`;
  return moduleOf(from, bodies);
}

function moduleOf(from: string, bodies: readonly string[], note = ""): string {
  const refuses = bodies.some((each) => each.includes("notPorted("));
  const types = ["ApacheRequest", "Connection", "FormValue"].filter((type) =>
    bodies.some((each) => each.includes(`: ${type}`)),
  );
  const imports = [...(refuses ? ["HttpError"] : []), ...types.map((type) => `type ${type}`)];
  const first = imports.length > 0 ? `import { ${imports.join(", ")} } from "mod-ts";\n\n` : "";
  return `${head(from)}${note}${first}${[...bodies, ...(refuses ? [notPorted] : [])].join("\n")}`;
}

function head(from: string): string {
  return `// Skeleton of ${from.replaceAll(/\s/g, " ")}, written by mod-ts migrate.\n// Every function refuses until it is ported.\n`;
}

const notPorted = `function notPorted(name: string, status = 501): HttpError {
  const body = \`\${name} is not ported from Python yet: write it in TypeScript\\n\`;
  return new HttpError(status, { body });
}
`;

function exported(needed: NeededExport, { classes, functions }: PythonModule): string {
  const [first = "", ...rest] = needed.path.split(".");
  const method = rest.at(-1) ?? needed.phase?.name ?? "handler";
  const isDefault = needed.path === needed.phase?.name;
  const old = isDefault ? needed.phase?.python : first;
  const line = functions.find(({ name }) => name === old)?.line;
  const comment = line === undefined ? "" : `/** Line ${line} of the Python module. */\n`;
  if (classes.includes(first)) {
    return `${comment}export class ${first} {\n  ${method}(${signature(needed)} {\n    ${body(needed)}\n  }\n}\n`;
  }
  if (rest.length === 0) {
    return `${comment}export function ${first}(${signature(needed)} {\n  ${body(needed)}\n}\n`;
  }
  const [last = "", ...outer] = rest.toReversed();
  const object = outer.reduce(
    (inner, name) => `{ ${name}: ${inner} }`,
    `{\n  ${last}(${signature(needed)} {\n    ${body(needed)}\n  },\n}`,
  );
  return `${comment}export const ${first} = ${object};\n`;
}

function signature({ kind }: NeededExport): string {
  if (kind === "filter") return "_text: string): string";
  if (kind === "connection") return "_connection: Connection): Promise<void>";
  return kind === "function" ? "): void" : "_req: ApacheRequest): number";
}

function body({ path, phase, kind }: NeededExport): string {
  // What cannot refuse must not stop the request either.
  if (phase?.kind === "log") return "return 0;";
  if (kind === "function") return "// Call it at the top level of this module.";
  return `throw notPorted("${path}"${phase?.kind === "guard" ? ", 403" : ""});`;
}

/** A module of the publisher: its public functions with their parameters, and its guards, which refuse. */
export function publishedSkeleton(source: string, module: PythonModule): string {
  const published = module.functions.filter(({ name }) => !name.startsWith("_"));
  const bodies = published.map(publishedFunction);
  const guards = guardsOf(module);
  const values = [...module.values, ...module.classes].filter((name) => !name.startsWith("_"));
  const note = values.length > 0 ? `// Also published in Python: ${values.join(", ")}\n` : "";
  return moduleOf(source, [...guards, ...bodies], note);
}

/** Of mod_python's guards only the names are known. */
function guardsOf({ functions, values }: PythonModule): string[] {
  const names = new Set([...functions.map(({ name }) => name), ...values]);
  return ["auth", "access"]
    .filter((name) => names.has(`__${name}__`))
    .map(
      (name) =>
        `/** __${name}__ of the Python module. */\nexport const ${name} = (): boolean => false;\n`,
    );
}

function publishedFunction({ name, parameters, line, guards }: PythonFunction): string {
  const list = parametersOf(parameters);
  const closed = ["auth", "access"]
    .filter((each) => guards.includes(`__${each}__`))
    .map((each) => `${safe(name)}.${each} = (): boolean => false;\n`);
  const open = safe(name) === name ? "export function" : "function";
  const alias = safe(name) === name ? "" : `export { ${safe(name)} as ${name} };\n`;
  return `/** Line ${line} of the Python module. */\n${open} ${safe(name)}(${list}): string {\n  throw notPorted("${name}");\n}\n${closed.join("")}${alias}`;
}

function parametersOf(parameters: readonly Parameter[]): string {
  const named = parameters.filter(({ stars }) => stars === "");
  const rest = parameters.find(({ stars }) => stars === "**");
  return [
    ...named.map(({ name, preset }) =>
      name === "req"
        ? "req: ApacheRequest"
        : `${safe(name)}${safe(name) === name ? "" : ` /* field "${name}": await req.form() */`}${preset === undefined ? ": FormValue | FormValue[]" : presetOf(preset)}`,
    ),
    ...(rest ? [`...${safe(rest.name)}: [name: string, value: FormValue][]`] : []),
  ].join(", ");
}

/** Type and default of a parameter; anything but a plain literal needs work by hand. */
function presetOf(preset: string): string {
  const type = ": FormValue | FormValue[]";
  if (preset === "None") return `${type} | null = null`;
  const [, text] = /^[rbu]?(?:'((?:\\.|[^'\\])*)'|"(?:\\.|[^"\\])*")$/is.exec(preset) ?? [];
  if (text !== undefined) return `${type} = ${JSON.stringify(text.replaceAll("\\'", "'"))}`;
  if (/^[rbu]?"(?:\\.|[^"\\\n])*"$/i.test(preset))
    return `${type} = ${preset.replace(/^[rbu]/i, "")}`;
  if (/^-?\d+(?:\.\d+)?$/.test(preset)) return `${type} | number = ${Number(preset)}`;
  if (/^(?:True|False)$/.test(preset)) return `${type} | boolean = ${preset.toLowerCase()}`;
  return `${type} | null = null /* ${preset.replaceAll("*/", "* /").replaceAll(/\s+/g, " ")} */`;
}

/** Names that Python allows and TypeScript does not. */
const reserved = new Set(
  "arguments await case catch const debugger default delete do enum eval export extends function implements instanceof interface let new null package private protected public static super switch this throw typeof var void".split(
    " ",
  ),
);

/** The publisher fills parameters by name, so such a field needs another way: `await req.form()`. */
function safe(name: string): string {
  return reserved.has(name) ? `${name}_` : name;
}

/**
 * A page of PSP as a server page: its HTML, its Python as comments, and a refusal. Parts of pages
 * refuse, too.
 */
export function pageSkeleton(text: string, source: string): string {
  const name = source.slice(source.lastIndexOf("/") + 1);
  const converted = text.replaceAll(/<%(--[^]*?--|[^]*?)%>/g, (tag, inner: string) => {
    const [, file] = /^@\s*include\s+file\s*=\s*["']([^"']+)["']\s*$/.exec(inner) ?? [];
    if (file?.endsWith(".psp")) return `<%@ include file="${file.replace(/psp$/, "tsp")}" %>`;
    if (inner.startsWith("--")) return tag;
    return `<%-- ${tag.replaceAll("--%", "-- %")} --%>`;
  });
  return `<%! import { HttpError } from "mod-ts"; %>
<%-- Skeleton of ${name.replaceAll("--", "- -")}, written by mod-ts migrate: port what is in comments, then delete the next line. --%>
<% if (req) throw new HttpError(501, { body: "this page is not ported from Python yet: write it in TypeScript\\n" }); %>
${converted}`;
}
