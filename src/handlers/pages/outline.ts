/** Outline of a page, needed before its first line is translated. */
import { checkExpression } from "./statements.ts";
import type { CodeToken, Directive, PageSource, Part } from "./page-source.ts";
import { scanCode } from "./scan.ts";

export interface PageImport {
  /** Name of its namespace in the code. */
  readonly name: string;
  readonly specifier: string;
}

export interface Outline {
  readonly imports: readonly PageImport[];
  /** Names of the imports by directive. */
  readonly names: ReadonlyMap<Directive, string>;
  /** Name of the import of the layout. */
  readonly layout: string | undefined;
  /** Type of `vars`: `Vars` if module code declares it, else any. */
  readonly vars: string;
  /** Code of the object that describes the page. */
  readonly info: string;
  /** Names declared by module code. */
  readonly own: ReadonlySet<string>;
  /** Code of the `with` attributes. */
  readonly variables: ReadonlyMap<Directive, readonly CodeToken[]>;
  /** Code that runs within the function of the page. */
  readonly tokens: readonly CodeToken[];
}

/** Throws a `BuildError` for directives that contradict each other. */
export function outline(source: PageSource, parts: readonly Part[]): Outline {
  const directives = parts.filter((part) => part.kind === "directive");
  const page = onlyOne(source, directives, "page");
  const layout = onlyOne(source, directives, "layout");
  checkNesting(source, directives, layout !== undefined);
  const imports = new Map<string, PageImport>();
  const names = new Map<Directive, string>();
  for (const directive of directives) {
    const file = directive.attributes.get("file");
    if (!file) continue;
    const specifier = file.value.startsWith(".") ? file.value : `./${file.value}`;
    const known = imports.get(specifier) ?? { name: `$${imports.size + 1}`, specifier };
    imports.set(specifier, known);
    names.set(directive, known.name);
  }
  const layoutName = layout && names.get(layout);
  const variables = new Map(
    directives.map((directive) => [directive, withTokens(source, directive)]),
  );
  return {
    imports: [...imports.values()],
    names,
    layout: layoutName,
    vars: parts.some(declaresVars) ? "Vars" : "any",
    info: describe(page, directives, layoutName),
    own: ownNames(parts),
    variables,
    tokens: parts.flatMap((part) => runningTokens(part, variables)),
  };
}

function onlyOne(
  source: PageSource,
  directives: readonly Directive[],
  name: string,
): Directive | undefined {
  const [first, second] = directives.filter((directive) => directive.name === name);
  if (second) source.fail(`a page has only one ${name} directive; take one away`, second.start);
  return first;
}

/** Blocks cannot be nested, and each is closed: no page is sent incomplete. */
function checkNesting(
  source: PageSource,
  directives: readonly Directive[],
  hasLayout: boolean,
): void {
  const open: Directive[] = [];
  for (const directive of directives) {
    const { name, start } = directive;
    if (name === "end" && !open.pop()) {
      source.fail("this end has no block or slot before it; take it away", start);
    }
    if (name === "block") checkBlock(source, directive, { open, hasLayout });
    if (name === "block" || name === "slot") open.push(directive);
  }
  const left = open.at(-1);
  if (left) source.fail(`${describeTag(left)} is not closed; end it with <%@ end %>`, left.start);
}

function checkBlock(
  source: PageSource,
  { start }: Directive,
  { open, hasLayout }: { open: readonly Directive[]; hasLayout: boolean },
): void {
  if (!hasLayout) {
    source.fail('a block fills a slot of a layout; name one with <%@ layout file="…" %>', start);
  }
  const outer = open[0];
  if (outer) source.fail(`a block cannot lie in ${describeTag(outer)}; end that first`, start);
}

function describeTag({ name, attributes }: Directive): string {
  return `${name} "${attributes.get("name")?.value}"`;
}

function declaresVars(part: Part): boolean {
  if (part.kind !== "module") return false;
  return part.tokens.some(
    ({ value }, index) =>
      value === "Vars" && ["interface", "type"].includes(part.tokens[index - 1]?.value ?? ""),
  );
}

function describe(
  page: Directive | undefined,
  directives: readonly Directive[],
  layout: string | undefined,
): string {
  const value = (name: string): string | undefined => page?.attributes.get(name)?.value;
  const slots = directives
    .filter(({ name }) => name === "slot")
    .map(({ attributes }) => attributes.get("name")?.value);
  const members = [
    "file: import.meta.filename",
    `contentType: ${JSON.stringify(value("contentType"))}`,
    `errorPage: ${JSON.stringify(value("errorPage"))}`,
    `pathInfo: ${/^on$/i.test(value("pathInfo") ?? "")}`,
    `slots: ${JSON.stringify(slots)} as string[]`,
    `layout: ${layout ? `(): unknown => ${layout}.$info` : "undefined"}`,
  ];
  return `{ ${members.join(", ")} }`;
}

function runningTokens(
  part: Part,
  variables: ReadonlyMap<Directive, readonly CodeToken[]>,
): readonly CodeToken[] {
  if (part.kind === "directive") return part.name === "layout" ? [] : (variables.get(part) ?? []);
  return "tokens" in part && part.kind !== "module" ? part.tokens : [];
}

/** Tokens of a `with` attribute, at their places in the page. */
function withTokens(source: PageSource, { attributes, start: open }: Directive): CodeToken[] {
  const variables = attributes.get("with");
  if (!variables) return [];
  const { start, value } = variables;
  const { end, tokens } = scanCode(source, { start, open, text: `${value}%>` });
  if (end !== start + value.length) {
    source.fail("the expression of with ends early; it must not hold a line comment", end);
  }
  checkExpression(source, tokens);
  return [...tokens];
}

/**
 * Declarations at the top of the page's function, in this order, each made only if the code uses
 * the name: no form is parsed and no session opened without need.
 */
const declarations: Readonly<Record<string, string>> = {
  req: "const req = $.req;",
  page: "const page = $.page;",
  exception: "const exception = $.exception;",
  escape: "const escape = $.escape;",
  include:
    "const include = (file: string, vars?: Record<string, unknown>) => $.include(file, vars);",
  write: "const write = (text: unknown) => { $out += $.text(text); };",
  flush:
    'const flush = async () => { if ($.isLive) { const text = $out; $out = ""; await $.flush(text); } };',
  form: "const form = await $.req.form();",
  session: "const session = await $.req.session();",
};

const variables: ReadonlySet<string> = new Set(["const", "let", "var"]);
const declaring = new Set([...variables, "function", "class", "enum", "namespace"]);

/** Names that module code declares or imports. */
export function ownNames(parts: readonly Part[]): ReadonlySet<string> {
  const own = new Set<string>();
  for (const part of parts) if (part.kind === "module") addDeclared(part.tokens, own);
  return own;
}

/** Code that declares the names in `tokens`, except the page's own. */
export function declareNames(tokens: readonly CodeToken[], own: ReadonlySet<string>): string {
  const used = usedNames(tokens);
  return Object.entries(declarations)
    .filter(([name]) => used.has(name) && !own.has(name))
    .map(([, code]) => code)
    .join(" ");
}

/** `form` and `...form`, but not `a.form`. */
function usedNames(tokens: readonly CodeToken[]): Set<string> {
  const used = new Set<string>();
  for (const [index, { value, isName }] of tokens.entries()) {
    const before = tokens[index - 1]?.value;
    if (isName && before !== "." && before !== "?.") used.add(value);
  }
  return used;
}

function addDeclared(tokens: readonly CodeToken[], own: Set<string>): void {
  let isImport = false;
  let isPattern = false;
  for (const [index, { value, isName }] of tokens.entries()) {
    const [before, next] = [tokens[index - 1]?.value ?? "", tokens[index + 1]?.value];
    if (value === "import") isImport = next !== "(";
    else if (value === "from" || value === ";") isImport = false;
    if (variables.has(before)) isPattern = value === "{" || value === "[";
    else if (value === "=") isPattern = false;
    const isDeclared = declaring.has(before) || (before === "," && next === "=");
    if (isName && (isImport || isPattern || isDeclared)) own.add(value);
  }
}
