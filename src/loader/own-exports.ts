/** What compiled code declares: exports of its own, static imports, whether it can be CommonJS. */
import { compileFunction } from "node:vm";
import {
  type ExportNamedDeclaration,
  type Identifier,
  type Literal,
  parse,
  type Pattern,
} from "acorn";
import { attempt } from "../base/attempt.ts";

/** Exports that stand for a module as a whole; the second is that of CommonJS. */
const unnamed: ReadonlySet<string> = new Set(["default", "module.exports"]);

/**
 * Names declared and exported by compiled code: no `export … from`, `export *`, imported binding or
 * `default`. Throws a `SyntaxError` for code newer than the parser.
 */
export function ownExports(code: string): ReadonlySet<string> {
  const { body } = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const imported = new Set<string>();
  const own = new Map<string, string>();
  for (const node of body) {
    if (node.type === "ImportDeclaration")
      for (const { local } of node.specifiers) imported.add(local.name);
    else if (node.type === "ExportNamedDeclaration" && !node.source) collect(node, own);
  }
  const isOwn = (name: string, local: string): boolean =>
    !unnamed.has(name) && !imported.has(local);
  const names = [...own].filter(([name, local]) => isOwn(name, local));
  return new Set(names.map(([name]) => name));
}

/** All names that compiled code exports; undefined with `export *`. Throws as {@link ownExports} does. */
export function exportedNames(code: string): ReadonlySet<string> | undefined {
  const { body } = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const names = new Map<string, string>();
  for (const node of body) {
    if (node.type === "ExportNamedDeclaration") collect(node, names);
    else if (node.type === "ExportDefaultDeclaration") names.set("default", "default");
    else if (node.type === "ExportAllDeclaration") {
      if (!node.exported) return undefined;
      names.set(textOf(node.exported), "");
    }
  }
  return new Set(names.keys());
}

/** Specifiers of static imports. Throws as {@link ownExports} does. */
export function staticImports(code: string): string[] {
  const { body } = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  return body.flatMap((node) => {
    const hasSource =
      node.type === "ImportDeclaration" ||
      node.type === "ExportAllDeclaration" ||
      node.type === "ExportNamedDeclaration";
    return hasSource && node.source ? [String(node.source.value)] : [];
  });
}

/** Node's rule for JavaScript: code that a CommonJS function cannot hold is a module. */
export function fitsCommonJs(code: string): boolean {
  const body = code.replace(/^#!.*/, "");
  return attempt(() => compileFunction(body, ["exports", "require", "module"]), null) !== null;
}

/** Adds the exports of one statement: exported name to local name. */
function collect({ declaration, specifiers }: ExportNamedDeclaration, own: Map<string, string>) {
  for (const { exported, local } of specifiers) own.set(textOf(exported), textOf(local));
  if (!declaration) return;
  if (declaration.type !== "VariableDeclaration") {
    own.set(declaration.id.name, declaration.id.name);
    return;
  }
  for (const { id } of declaration.declarations) {
    for (const name of namesIn(id)) own.set(name, name);
  }
}

/** `export { a as "any text" }` */
function textOf(name: Identifier | Literal): string {
  return name.type === "Identifier" ? name.name : String(name.value);
}

/** The variables of `const { a, b: [c, ...d] } = …`. */
function namesIn(pattern: Pattern | null): string[] {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((property) =>
        namesIn(property.type === "Property" ? property.value : property.argument),
      );
    case "ArrayPattern":
      return pattern.elements.flatMap(namesIn);
    case "AssignmentPattern":
      return namesIn(pattern.left);
    case "RestElement":
      return namesIn(pattern.argument);
    default:
      return [];
  }
}
