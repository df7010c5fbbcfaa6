/** Files in Python that are found by their place, and the names of those that take it. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { isDirectory } from "../../base/files.ts";
import { toRegExp } from "../../httpd/config-model.ts";
import type { Directive } from "../../httpd/config-tree.ts";

/** A directory whose Python files get a counterpart in the same place. */
export interface MigratedTree {
  readonly path: string;
  /** Of the old files. */
  readonly extensions: readonly string[];
  /** Of the new ones. */
  readonly kind: ".ts" | ".tsp";
}

/**
 * The usual extension is replaced, any other one stays in the name: two old files are two new ones,
 * and guards by the name still tell them apart.
 */
export function newName(name: string, extension: string, kind: MigratedTree["kind"]): string {
  return isUsual(extension, kind) ? name.slice(0, -extension.length) + kind : name + kind;
}

export function isUsual(extension: string, kind: MigratedTree["kind"]): boolean {
  return extension === (kind === ".ts" ? ".py" : ".psp");
}

export interface OldFile {
  readonly file: string;
  readonly kind: MigratedTree["kind"];
  /** Path of the new file. */
  readonly target: string;
}

/** Each once, however many sections serve it. */
export function oldFiles(trees: readonly MigratedTree[]): OldFile[] {
  const files = new Map<string, OldFile>();
  for (const { path, extensions, kind } of trees) {
    const extensionOf = (name: string): string | undefined =>
      extensions.find((each) => name.endsWith(each));
    for (const file of filesBelow(path, (name) => extensionOf(name) !== undefined)) {
      const target = newName(file, extensionOf(file) ?? "", kind);
      files.set(target, { file, kind, target });
    }
  }
  return [...files.values()];
}

/** Without those behind symbolic links, and of packages. */
export function filesBelow(directory: string, isWanted: (name: string) => boolean): string[] {
  if (!isDirectory(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .toSorted((one, other) => one.name.localeCompare(other.name))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        return /^(?:node_modules|__pycache__|\.git)$/.test(entry.name)
          ? []
          : filesBelow(path, isWanted);
      }
      return entry.isFile() && isWanted(entry.name) ? [path] : [];
    });
}

/** A `<Files>` or `<FilesMatch>` that knows the new names of files, too; undefined if it need not. */
export function renamedFiles(
  { name, args }: Directive,
  trees: readonly MigratedTree[],
  files: readonly OldFile[],
): string | undefined {
  const words = args.replaceAll(/^"|"$/g, "");
  const isGlob = /^files$/i.test(name) && !words.startsWith("~");
  const old = isGlob ? globSource(words) : words.replace(/^~\s*"?/, "");
  const pattern = withNewExtensions(old, trees);
  const [before, after] = [toRegExp(old), toRegExp(pattern)];
  const lost = files.filter(
    ({ file, target }) => before.test(basename(file)) && !after.test(basename(target)),
  );
  const names = new Set(lost.map(({ target }) => `|^${escapeRegExp(basename(target))}$`));
  return pattern === old && names.size === 0
    ? undefined
    : `<FilesMatch "${pattern}${[...names].join("")}">`;
}

function withNewExtensions(pattern: string, trees: readonly MigratedTree[]): string {
  const all = trees.flatMap(({ extensions, kind }) =>
    extensions.map((each) => [each, kind] as const),
  );
  const kept = [
    ...new Set(all.filter(([each, kind]) => !isUsual(each, kind)).map(([each]) => each)),
  ];
  const other =
    kept.length > 0 ? `(?<!${kept.map((each) => `${escapeRegExp(each)}\\.`).join("|")})` : "";
  const words = new Map(
    all.map(([each, kind]) => {
      const word = each.slice(1);
      const isKept = kept.includes(each);
      return [word, isKept ? `${word}(?:\\${kind})?` : `(?:${word}|${other}${kind.slice(1)})`];
    }),
  );
  return pattern.replaceAll(/\w+/g, (word) => words.get(word) ?? word);
}

function globSource(glob: string): string {
  const source = escapeRegExp(glob).replaceAll("\\*", ".*").replaceAll("\\?", ".");
  return `^${source}$`;
}

/** Attack: a name ends the argument of a directive, or its line, and begins another directive. */
export function escapeRegExp(text: string): string {
  return text
    .replaceAll(/[\\^$.*+?()[\]{}|#]/g, "\\$&")
    .replaceAll(/["\p{Cc}]/gu, (character) => `\\x${hexOf(character)}`);
}

/** A section for a directory, whatever its name. `<Directory>` has no escapes for wildcards. */
export function directoryTag(path: string): string {
  if (/^[\p{L}\p{N}_/.,@+:~ -]+$/u.test(path)) return `<Directory "${path}">`;
  const pattern = path.replaceAll(/[^\p{L}\p{N}_/ -]/gu, (character) =>
    character > "\x7f" ? character : `\\x${hexOf(character)}`,
  );
  return `<DirectoryMatch "^${pattern}(?:/|$)">`;
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, "0");
}
