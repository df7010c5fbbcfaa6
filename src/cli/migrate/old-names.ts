/** Conditions on the names of Python files: they do not match the files that replace them. */
import type { SourceDirective, SourceFile } from "../../httpd/config-source.ts";
import { isNamed, splitWords } from "../../httpd/config-tree.ts";
import type { Edits } from "./edits.ts";
import { escapeRegExp, type MigratedTree } from "./trees.ts";

/** Closes the new files of the section until the administrator has checked them. */
const denyNew = ['<If "%{REQUEST_FILENAME} =~ m#\\.tsp?$#">', "    Require all denied", "</If>"];

/** `<Files>` is not concerned, see `renamedFiles`; nor are addresses, which stay. */
export function closeOldNames(
  source: SourceFile,
  trees: readonly MigratedTree[],
  edits: Edits,
): void {
  if (trees.length === 0) return;
  const extensions = new Set(trees.flatMap((tree) => tree.extensions));
  const words = [...extensions].map((each) => escapeRegExp(each.slice(1))).join("|");
  const name = new RegExp(`(?<!\\w)(?:${words})(?!\\w)`, "i");
  visit(source.content, source, false);

  function visit(nodes: readonly SourceDirective[], from: SourceFile, isDirectory: boolean): void {
    for (const [at, each] of nodes.entries()) {
      if (asksForName(each, name, isDirectory)) {
        const text = `names files in Python: add the names of the new ones, then delete the <If> behind it`;
        edits.add(each);
        edits.close(each, text, []);
        edits.addBehind(lastBranch(nodes, at), denyNew);
      }
      const isInside =
        isDirectory || isNamed(each, "Directory", "DirectoryMatch", "Files", "FilesMatch");
      visit(each.children, from, isInside);
      for (const file of from.includes.get(each) ?? []) visit(file.content, file, isDirectory);
    }
  }
}

/** In a directory, mod_rewrite compares names of files. */
function asksForName(directive: SourceDirective, name: RegExp, isDirectory: boolean): boolean {
  const { args } = directive;
  if (isNamed(directive, "RewriteRule")) return isDirectory && name.test(splitWords(args)[0] ?? "");
  return /FILENAME|\s-[fFs]\s/.test(args) && /\S/.test(directive.name) && name.test(args);
}

/** Nothing may stand between an `<If>` and its `<Else>`. */
function lastBranch(nodes: readonly SourceDirective[], at: number): SourceDirective {
  const rest = nodes.slice(at + 1).filter((each) => each.name !== "");
  const end = rest.findIndex((each) => !isNamed(each, "ElseIf", "Else"));
  const branches = end < 0 ? rest : rest.slice(0, end);
  return branches.at(-1) ?? (nodes[at] as SourceDirective);
}
