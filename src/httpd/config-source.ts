/**
 * A configuration file of httpd as it is written, comments and all. For files that this httpd does
 * not accept, because they need modules that it does not have; else `config-tree.ts` knows more.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { isDirectory } from "../base/files.ts";
import { type Directive, isNamed, readLine, splitWords } from "./config-tree.ts";

/** A directive, a section, or with an empty name a comment or an empty line. */
export interface SourceDirective extends Directive {
  /** Lines of the file, without the last line feed; of a section its opening tag. */
  readonly raw: string;
  readonly children: readonly SourceDirective[];
  /** Of a section that {@link flatten} has changed: the one in the file. */
  readonly origin?: SourceDirective;
}

/** A file with what it includes. */
export interface SourceFile {
  readonly file: string;
  readonly content: readonly SourceDirective[];
  /** Files of each `Include` that could be read. */
  readonly includes: ReadonlyMap<SourceDirective, readonly SourceFile[]>;
}

/** Parses one file. A closing tag without an opening one is an ordinary line. */
export function parseSource(text: string, file: string): SourceDirective[] {
  const root: SourceDirective[] = [];
  const open: { name: string; children: SourceDirective[] }[] = [{ name: "", children: root }];
  for (const { raw, line } of logicalLines(text)) {
    const written = raw.replaceAll(/\\\n/g, "").trim();
    const closed = /^<\/([^\s>]+)\s*>/.exec(written)?.[1]?.toLowerCase();
    if (closed !== undefined && open.length > 1 && open.at(-1)?.name === closed) {
      open.pop();
      continue;
    }
    const children: SourceDirective[] = [];
    const directive = { ...readLine(written), place: { file, line }, macros: [], raw, children };
    open.at(-1)?.children.push(directive);
    if (directive.isSection) open.push({ name: directive.name.toLowerCase(), children });
  }
  return root;
}

/** Lines that end in a backslash continue, comments too. */
function* logicalLines(text: string): Generator<{ raw: string; line: number }> {
  const lines = text.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = at + 1;
    let raw = lines[at] ?? "";
    while (raw.endsWith("\\") && at + 1 < lines.length) raw += `\n${lines[(at += 1)]}`;
    yield { raw, line };
  }
}

/** Sections that select no requests: their content counts as that of the section around them. */
const transparent = [
  "IfModule",
  "IfDefine",
  "IfVersion",
  "IfFile",
  "IfDirective",
  "IfSection",
  "Macro",
];

export function isTransparent(directive: Directive): boolean {
  return directive.isSection && isNamed(directive, ...transparent);
}

/**
 * A file and all that it includes, by absolute path. An included file that cannot be read is left
 * out; `root` is the `ServerRoot`, which a line of the file overrides.
 */
export function readSource(file: string, root: string = dirname(file)): SourceFile {
  return read(file, root, []);
}

function read(file: string, root: string, outer: readonly string[]): SourceFile {
  const content = parseSource(readFileSync(file, "utf8"), file);
  const includes = new Map<SourceDirective, SourceFile[]>();
  let base = root;
  const visit = (directives: readonly SourceDirective[]): void => {
    for (const each of directives) {
      const [word = ""] = splitWords(each.args);
      if (isNamed(each, "ServerRoot")) base = word;
      if (isNamed(each, "Include", "IncludeOptional")) includes.set(each, follow(word));
      visit(each.children);
    }
  };
  const follow = (pattern: string): SourceFile[] =>
    matching(isAbsolute(pattern) ? pattern : join(base, pattern))
      // A circle, which httpd refuses.
      .filter((each) => ![...outer, file].includes(each))
      .map((each) => read(each, base, [...outer, file]));
  visit(content);
  return { file, content, includes };
}

/** In the order of httpd; a directory stands for all files below it. */
function matching(pattern: string): string[] {
  return globSync(pattern)
    .toSorted()
    .flatMap((path) => (isDirectory(path) ? matching(join(path, "*")) : [path]));
}

/**
 * What selects requests: included files in their places, transparent sections dissolved, except those
 * that are not in force.
 */
export function flatten(
  source: SourceFile,
  isOff: (section: Directive) => boolean = () => false,
): SourceDirective[] {
  const expand = (directives: readonly SourceDirective[], from: SourceFile): SourceDirective[] =>
    directives.flatMap((each) => {
      const included = from.includes.get(each);
      if (included) return included.flatMap((inner) => expand(inner.content, inner));
      if (isTransparent(each)) return isOff(each) ? [] : expand(each.children, from);
      if (!each.isSection) return [each];
      return [{ ...each, children: expand(each.children, from), origin: each }];
    });
  return expand(source.content, source);
}
