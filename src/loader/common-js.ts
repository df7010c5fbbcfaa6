/**
 * CommonJS in user modules: `.cts` files, `export =` and `import x = require("y")`.
 *
 * They become ES modules with the exports that Node gives to CommonJS. A `require` of a local file
 * becomes an import, so that the file is compiled and reloaded like any other.
 */
import type { SourceMapPayload } from "node:module";
import { extname } from "node:path";
import { type Node, parse, type Program } from "acorn";

/** What the CommonJS of Node declares around a file. */
const declarations = {
  module: "module = { exports: {} }",
  exports: "exports = module.exports",
  __filename: "__filename = import.meta.filename",
  __dirname: "__dirname = import.meta.dirname",
} as const;

/** Paths, which `require` takes, but of files that Node loads: it finds them itself. */
const ownFile = /^\.{0,2}\/(?!.*\.(?:cjs|node|json|wasm)$)/;

/** At the begin of a line, or after a statement: comments mention them, too. */
const commonJs = /(?:^|;)[ \t]*(?:export\s*=(?!=)|(?:export\s+)?import\s+[\w$]+\s*=\s*require\b)/m;

/** Whether a file has syntax of CommonJS. `require` alone does not make one: Node has none there. */
export function isCommonJs(file: string, source: string): boolean {
  if (extname(file) === ".cts") return true;
  return commonJs.test(source);
}

interface Code {
  code: string;
  map: SourceMapPayload | undefined;
}

/** Throws a `SyntaxError` for code newer than the parser. */
export function toEsModule({ code, map }: Code): Code {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const found = inspect(program);
  const head = `${imports(found)}${locals(found)}`;
  const foot = found.hasExports ? "" : exportsOf(found);
  return {
    code: `${head}\n${code}\n${foot}`,
    map: map && { ...map, mappings: `;${map.mappings}` },
  };
}

interface Found {
  /** Names of local files in calls of `require`. */
  readonly required: Set<string>;
  /** Properties given to `exports` and `module.exports`. */
  readonly exported: Set<string>;
  readonly declared: Set<string>;
  /** Whether there are exports of an ES module. */
  readonly hasExports: boolean;
}

function imports({ required }: Found): string {
  const lines = [...required].map(
    (specifier, index) => `import * as $required${index} from ${JSON.stringify(specifier)};`,
  );
  return `import { createRequire as $createRequire } from "node:module"; ${lines.join(" ")}`;
}

function locals({ required, declared }: Found): string {
  const known = [...required].map(
    (specifier, index) => `${JSON.stringify(specifier)}: $required${index}`,
  );
  const find =
    "(id) => Object.hasOwn($local, id) ? $local[id]['module.exports'] ?? $local[id] : $node(id)";
  const all = {
    ...declarations,
    require: `$local = { ${known.join(", ")} }, $node = $createRequire(import.meta.url), require = Object.assign(${find}, $node)`,
  };
  const needed = Object.entries(all).filter(([name]) => !declared.has(name));
  return needed.length === 0 ? "" : `const ${needed.map(([, text]) => text).join(", ")};`;
}

function exportsOf({ exported }: Found): string {
  const names = [...exported].filter((name) => name !== "default" && name !== "module.exports");
  const values = names.map((name, index) => `$export${index} = $exports[${JSON.stringify(name)}]`);
  const pairs = names.map((name, index) => `$export${index} as ${JSON.stringify(name)}`);
  return [
    `const ${["$exports = module.exports", ...values].join(", ")};`,
    `export { ${["$exports as default", '$exports as "module.exports"', ...pairs].join(", ")} };`,
  ].join(" ");
}

function inspect(program: Program): Found {
  const required = new Set<string>();
  const exported = new Set<string>();
  for (const node of descendants(program)) {
    const specifier = requiredBy(node);
    if (specifier !== undefined && ownFile.test(specifier)) required.add(specifier);
    for (const name of exportedBy(node)) exported.add(name);
  }
  const hasExports = program.body.some(({ type }) => type.startsWith("Export"));
  return { required, exported, declared: declaredBy(program), hasExports };
}

/** ESTree nodes, whose types do not help here. */
type AnyNode = Node & Readonly<Record<string, unknown>>;

function* descendants(node: Node): Generator<AnyNode> {
  yield node as AnyNode;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* descendants(child);
    }
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof (value as { type?: unknown } | null)?.type === "string";
}

function requiredBy({ type, callee, arguments: args }: AnyNode): string | undefined {
  if (type !== "CallExpression" || nameOf(callee) !== "require") return undefined;
  const [first] = args as AnyNode[];
  return typeof first?.["value"] === "string" ? first["value"] : undefined;
}

/** `exports.a = …`, `module.exports.a = …`, `module.exports = { a }`. */
function exportedBy({ type, left, right }: AnyNode): string[] {
  if (type !== "AssignmentExpression" || !isNode(left)) return [];
  if (nameOf(left) === "module.exports") return keysOf(right);
  const property = /^(?:module\.)?exports\.(.+)$/s.exec(nameOf(left) ?? "")?.[1];
  return property === undefined ? [] : [property];
}

function keysOf(value: unknown): string[] {
  if (!isNode(value) || value.type !== "ObjectExpression") return [];
  return (value["properties"] as AnyNode[]).flatMap(({ computed, key }) => {
    if (computed || !isNode(key)) return [];
    return [String(key["name"] ?? key["value"])];
  });
}

/** `a` or `a.b.c`, as written. */
function nameOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === "Identifier") return String(value["name"]);
  if (value.type !== "MemberExpression") return undefined;
  const object = nameOf(value["object"]);
  const { name, value: literal } = value["property"] as AnyNode;
  const property = value["computed"] ? literal : name;
  return object === undefined || typeof property !== "string" ? undefined : `${object}.${property}`;
}

/** Names that the file declares itself at its top level. */
function declaredBy({ body }: Program): Set<string> {
  const names = body.flatMap((statement) => {
    const node = statement as unknown as AnyNode;
    const declaration = (isNode(node["declaration"]) ? node["declaration"] : node) as AnyNode;
    const parts = [declaration, ...list(declaration["declarations"])];
    const bindings = [
      ...parts.map(({ id }) => id),
      ...list(node["specifiers"]).map((one) => one["local"]),
    ];
    return bindings.map(nameOf).filter((name) => name !== undefined);
  });
  return new Set(names);
}

function list(value: unknown): AnyNode[] {
  return Array.isArray(value) ? (value as AnyNode[]) : [];
}
