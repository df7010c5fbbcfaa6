/**
 * What must be known of a page before its first line can be translated: its directives, and whether blocks and slots are whole.
 * @module
 */
import { checkExpression } from "./expression.ts";
import { ownNames } from "./names.ts";
import type { PageSource } from "./page-source.ts";
import type { CodeToken, Directive, Part } from "./part.ts";
import { scanCode } from "./scan-code.ts";

/** Another page that this one imports. */
export interface PageImport {
  /** Name of its namespace in the code. */
  readonly name: string;
  readonly specifier: string;
}

export interface Outline {
  readonly imports: readonly PageImport[];
  /** Names of the imports by the directive that needs them. */
  readonly names: ReadonlyMap<Directive, string>;
  /** Name of the layout's import; undefined without a layout. */
  readonly layout: string | undefined;
  /** Type of `vars`: the one that the module code declares as `Vars`, or any. */
  readonly vars: string;
  /** Code of the object that says what the page is like. */
  readonly info: string;
  /** Names that the module code declares. */
  readonly own: ReadonlySet<string>;
  /** Code of the `with` attributes. */
  readonly variables: ReadonlyMap<Directive, readonly CodeToken[]>;
  /** Code that runs within the function of the page. */
  readonly tokens: readonly CodeToken[];
}

/** Looks through a page. Throws a `BuildError` for directives that do not go together. */
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

/** Blocks lie in no other block, and each is closed: a page is never sent with half of its parts. */
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
    `pathInfo: ${value("pathInfo") === "on"}`,
    `slots: ${JSON.stringify(slots)} as string[]`,
    `layout: ${layout ? `(): unknown => ${layout}.$info` : "undefined"}`,
  ];
  return `{ ${members.join(", ")} }`;
}

function runningTokens(
  part: Part,
  variables: ReadonlyMap<Directive, readonly CodeToken[]>,
): readonly CodeToken[] {
  if (part.kind === "directive") {
    return part.name === "layout" ? [] : (variables.get(part) ?? []);
  }
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
