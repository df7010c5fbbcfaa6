/**
 * The names that are in scope in a page. Each is made only when the page's code uses it: no form is parsed and no session opened
 * for a page that asks for neither.
 * @module
 */
import type { CodeToken, Part } from "./part.ts";

/** What declares each name at the top of the page's function, in this order. */
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
  form: "const form = await $.form();",
  session: "const session = await $.session();",
};

const variables: ReadonlySet<string> = new Set(["const", "let", "var"]);

const declaring: ReadonlySet<string> = new Set([
  ...variables,
  "function",
  "class",
  "enum",
  "namespace",
]);

/** Names that module code declares itself, or imports: they are left alone. */
export function ownNames(parts: readonly Part[]): ReadonlySet<string> {
  const own = new Set<string>();
  for (const part of parts) if (part.kind === "module") addDeclared(part.tokens, own);
  return own;
}

/** Code that declares what `tokens` use, but for the page's own names. */
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
