/** The text of a migrated configuration. */
import { isNamed } from "../../httpd/config-tree.ts";
import type { SourceDirective, SourceFile } from "../../httpd/config-source.ts";
import type { Conversion } from "./convert.ts";
import { asksForPython, excludesPython } from "./python-directives.ts";
import { type OldFile, oldFiles, renamedFiles } from "./trees.ts";

const aliases = ["Alias", "AliasMatch", "ScriptAlias", "ScriptAliasMatch", "Redirect"];

export function writeConfig(source: SourceFile, conversion: Conversion): string {
  return new Writer(conversion).write(source);
}

class Writer {
  readonly #conversion: Conversion;
  readonly #files: readonly OldFile[];
  /** Rules of the main server, until they are written. */
  #mainRules: readonly string[];

  constructor(conversion: Conversion) {
    this.#conversion = conversion;
    this.#files = oldFiles(conversion.trees);
    this.#mainRules = [...(conversion.addresses.get(conversion.model.main) ?? [])];
  }

  write(source: SourceFile): string {
    const lines = this.#nodes(source.content, source, true);
    // A file without sections.
    return `${[...lines, ...this.#takeMainRules("")].join("\n")}\n`;
  }

  #nodes(nodes: readonly SourceDirective[], source: SourceFile, isTop = false): string[] {
    return nodes.flatMap((each) => {
      // Before other aliases, which would take the addresses, and after the modules.
      const isPlace =
        isTop && (isNamed(each, ...aliases) || (each.isSection && !isModuleTest(each)));
      if (isTop && this.#isUnchangedFile(each, source)) return [];
      return [
        ...(isPlace ? this.#takeMainRules(indentOf(each)) : []),
        ...this.#node(each, source, isTop),
      ];
    });
  }

  /** A `.htaccess` file that was read for its guards. */
  #isUnchangedFile(node: SourceDirective, { file }: SourceFile): boolean {
    return node.place.line === 0 && node.place.file !== file && !this.#isChanged(node);
  }

  #takeMainRules(indent: string): string[] {
    const rules = this.#mainRules;
    this.#mainRules = [];
    return formatRules(rules, indent);
  }

  #node(node: SourceDirective, source: SourceFile, isTop: boolean): string[] {
    if (node.isSection) return this.#section(node, source);
    const included = source.includes.get(node) ?? [];
    if (included.some((each) => this.#isAffected(each))) return this.#included(included, isTop);
    const edit = this.#conversion.edits.of(node);
    if (!edit) return [node.raw];
    const indent = indentOf(node);
    const original = edit.isKept ? [node.raw] : commentOut(node.raw);
    const comments = edit.lines.filter((line) => line.startsWith("#"));
    const lines = edit.lines.filter((line) => !line.startsWith("#"));
    return [
      ...edit.notes.map((note) => `${indent}# mod_ts: ${note}`),
      ...(comments.length > 0 && lines.length === 0
        ? original.map((line) => `${line} ${comments[0]}`)
        : original),
      ...[...lines, ...edit.after].map((line) => indent + line),
    ];
  }

  #section(node: SourceDirective, source: SourceFile): string[] {
    const { edits, model, addresses } = this.#conversion;
    const indent = indentOf(node);
    const opening = this.#openingTag(node);
    const name = /^<(\S+)/.exec(opening ?? node.raw.trim())?.[1]?.replace(/>$/, "") ?? node.name;
    const host = isNamed(node, "VirtualHost") ? model.hostOf(node) : undefined;
    const edit = edits.of(node);
    return [
      ...(opening === undefined ? [node.raw] : [`${indent}#${node.raw.trim()}`, indent + opening]),
      ...formatRules([...((host && addresses.get(host)) ?? [])], `${indent}    `),
      ...(edit?.notes ?? []).map((note) => `${indent}    # mod_ts: ${note}`),
      ...(edit?.lines ?? []).map((line) => `${indent}    ${line}`),
      ...this.#nodes(node.children, source),
      `${indent}</${name}>`,
      ...(edit?.after ?? []).map((line) => indent + line),
    ];
  }

  /** The new opening tag of a section, if it needs one. */
  #openingTag(node: SourceDirective): string | undefined {
    if (asksForPython(node)) return "<IfModule mod_macro.c>";
    if (excludesPython(node)) return "<IfModule !mod_macro.c>";
    const { trees } = this.#conversion;
    if (trees.length === 0 || !isNamed(node, "Files", "FilesMatch")) return undefined;
    return renamedFiles(node, trees, this.#files);
  }

  /** In place of the line: an include of a whole directory must not read both versions. */
  #included(files: readonly SourceFile[], isTop: boolean): string[] {
    return files.flatMap((each) =>
      this.#isAffected(each)
        ? [`# mod_ts: from ${each.file}`, ...this.#nodes(each.content, each, isTop)]
        : [`Include "${each.file}"`],
    );
  }

  #isAffected({ content, includes }: SourceFile): boolean {
    const inIncludes = [...includes.values()].flat().some((each) => this.#isAffected(each));
    return inIncludes || content.some((each) => this.#isChanged(each));
  }

  #isChanged(node: SourceDirective): boolean {
    const { edits, model, addresses } = this.#conversion;
    const host = isNamed(node, "VirtualHost") ? model.hostOf(node) : undefined;
    return (
      edits.of(node) !== undefined ||
      this.#openingTag(node) !== undefined ||
      (host !== undefined && addresses.has(host)) ||
      node.children.some((each) => this.#isChanged(each))
    );
  }
}

function isModuleTest(node: SourceDirective): boolean {
  return isNamed(node, "IfModule", "IfDefine", "IfVersion");
}

function formatRules(rules: readonly string[], indent: string): string[] {
  if (rules.length === 0) return [];
  const note =
    "# mod_ts: old addresses stay; delete these lines when nothing links to them any more.";
  return [note, ...rules].map((line) => indent + line);
}

function indentOf({ raw }: SourceDirective): string {
  return /^[ \t]*/.exec(raw)?.[0] ?? "";
}

function commentOut(raw: string): string[] {
  return raw.split("\n").map((line) => line.replace(/^([ \t]*)(.*?)\\?$/, "$1#$2"));
}
