/** Everything that a migration writes, as files below one directory; nothing is written here. */
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isBelow, mappingsOf } from "../../httpd/config-model.ts";
import {
  flatten,
  parseSource,
  readSource,
  type SourceDirective,
  type SourceFile,
} from "../../httpd/config-source.ts";
import { isNamed, splitWords, walk } from "../../httpd/config-tree.ts";
import { Conversion } from "./convert.ts";
import type { Note } from "./edits.ts";
import { Model } from "./model.ts";
import { readPython, readPythonFile } from "./python-source.ts";
import type { SidecarNeeds } from "./settings.ts";
import { handlerSkeleton, pageSkeleton, publishedSkeleton } from "./skeleton.ts";
import { directoryTag, filesBelow, type MigratedTree, oldFiles } from "./trees.ts";
import { writeConfig } from "./write-config.ts";

export interface MigratedFile {
  /** Relative to the directory of the migration. */
  readonly path: string;
  readonly text: string;
  /** That of the original: both may hold passwords. */
  readonly mode: number;
}

export interface Migration {
  readonly files: readonly MigratedFile[];
  readonly notes: readonly Note[];
  readonly needs: SidecarNeeds;
  /** Directories that Apache serves: a copy of sources there would be public. */
  readonly served: readonly string[];
  /** Whether `root/` holds files that go to the places of Python files. */
  readonly hasTrees: boolean;
}

/** @param serverRoot of relative includes; a `ServerRoot` of the file overrides it */
export function migrate(file: string, serverRoot: string | undefined): Migration {
  const source = withDirectories(readConfiguration(file, serverRoot));
  const conversion = new Conversion(source);
  const { needs, edits } = conversion;
  const config = {
    path: basename(file),
    text: writeConfig(source, conversion),
    mode: modeOf(file),
  };
  const modules = conversion.modules.needed.map((module) => ({
    path: join("handlers", module.file),
    text: handlerSkeleton(
      module,
      module.source === undefined ? undefined : readPythonFile(module.source),
    ),
    mode: module.source === undefined ? 0o644 : modeOf(module.source),
  }));
  const trees = treeFiles(conversion.trees);
  const directories = [...conversion.directories];
  const settings = {
    path: "mod-ts.config.ts",
    // A directory that does not exist would be a mistake in the configuration.
    text: sidecarConfig(needs, [...(modules.length > 0 ? ["handlers"] : []), ...directories]),
    mode: 0o644,
  };
  const files = [config, settings, ...modules, ...trees];
  const served = servedDirectories(conversion.model);
  return { files, notes: edits.notes, needs, served, hasTrees: trees.length > 0 };
}

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}

/** Macros do not work in `.htaccess`, so its lines move to a section of its directory. */
function readConfiguration(file: string, serverRoot: string | undefined): SourceFile {
  if (basename(file) !== ".htaccess") return readSource(file, serverRoot);
  return { file, content: [directoryOf(file)], includes: new Map() };
}

function directoryOf(file: string): SourceDirective {
  const [section] = parseSource(directoryTag(dirname(file)), file) as [SourceDirective];
  const text = readFileSync(file, "utf8").replace(/[\\\s]+$/, "");
  const children = parseSource(text, file).map(confine);
  return { ...section, place: { file, line: 0 }, children };
}

/** Attack: the author of the file closes its section, and adds lines for the whole server. */
function confine(directive: SourceDirective): SourceDirective {
  if (!directive.name.startsWith("</")) {
    return directive.isSection
      ? { ...directive, children: directive.children.map(confine) }
      : directive;
  }
  return { ...directive, name: "", args: "", raw: `#${directive.raw.replaceAll(/\\\n/g, "")}` };
}

/** With the `.htaccess` files below the directories that are served. */
function withDirectories(source: SourceFile): SourceFile {
  const model = new Model(flatten(source));
  const names = accessFileNames(model);
  const found = servedDirectories(model)
    .flatMap((path) => filesBelow(path, (name) => names.includes(name)))
    .filter((file) => file !== source.file && mayConcern(file));
  return { ...source, content: [...source.content, ...found.map(directoryOf)] };
}

function accessFileNames({ tree }: Model): string[] {
  const named = [...walk(tree)].filter((each) => isNamed(each, "AccessFileName"));
  return [".htaccess", ...named.flatMap(({ args }) => splitWords(args))];
}

/** Lines for Python, and guards by the names of files. What stays as it is will not be written. */
function mayConcern(file: string): boolean {
  const python = "python\\w+|(?:set|add)handler[ \\t]+(?:mod_python|python-program)\\b";
  const others =
    "satisfy\\b|authmerging\\b|rewrite(?:cond|rule)\\b|<(?:files(?:match)?|if|elseif|else)\\b";
  return new RegExp(`^[ \\t]*(?:${python}|${others})`, "im").test(readFileSync(file, "utf8"));
}

function servedDirectories({ hosts }: Model): string[] {
  const mapped = hosts.flatMap((host) => mappingsOf(host).map(({ path }) => path));
  const sections = hosts.flatMap((host) =>
    host.sections.flatMap(({ kind, pattern }) =>
      kind === "directory" && typeof pattern === "string" ? [pattern] : [],
    ),
  );
  return outermost([
    ...mapped.filter((path) => depthOf(path) > 0),
    // `<Directory /usr>` is no place of a site.
    ...sections.filter((path) => depthOf(path) > 1),
  ]);
}

function depthOf(path: string): number {
  return path.split("/").filter(Boolean).length;
}

/** Paths that lie below no other one. */
function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => other !== path && isBelow(path, other)));
}

/** Modules of the publisher and pages, which are found by their place. */
function treeFiles(trees: readonly MigratedTree[]): MigratedFile[] {
  return oldFiles(trees).map(({ file, kind, target }) => {
    const source = readFileSync(file, "utf8");
    const text =
      kind === ".ts" ? publishedSkeleton(file, readPython(source)) : pageSkeleton(source, file);
    return { path: join("root", target), text, mode: modeOf(file) };
  });
}

function list(values: Iterable<string>): string {
  return JSON.stringify([...values]).replaceAll(",", ", ");
}

function sidecarConfig(needs: SidecarNeeds, directories: readonly string[]): string {
  const pools = [...needs.pools].map((name) => `${JSON.stringify(name)}: { workers: 1 }`);
  const lines = [
    `handlers: ${list(directories)},`,
    ...(needs.hasGuards ? ["authorizer: { port: 9710 },"] : []),
    ...(pools.length > 0 ? [`pools: { main: { workers: 2 }, ${pools.join(", ")} },`] : []),
    ...(needs.preload.size > 0 ? [`preload: ${list(needs.preload)},`] : []),
    ...(needs.isManual ? ['reload: { freshness: "manual" },'] : []),
    ...[...needs.connections].map(
      ([run, port]) =>
        `// connections: { ${JSON.stringify(run.replace(/\W.*/, ""))}: { run: ${JSON.stringify(run)}, port: ${port} } },`,
    ),
    ...(needs.hasFilters
      ? [
          "// Callbacks, for filters and for the phases before the content: the address of this Apache.",
          'origin: { url: "http://127.0.0.1:80" },',
          'secretFile: "secret",',
        ]
      : []),
    ...(needs.hasLogs
      ? [
          "// For the requests that Apache serves itself:",
          '// accessLog: "/var/log/apache2/mod_ts.log",',
        ]
      : []),
  ];
  return `import { defineConfig } from "mod-ts/config";

// Written by mod-ts migrate. The Apache configuration beside it says which handler runs where.
export default defineConfig({
${lines.map((line) => `  ${line}\n`).join("")}});
`;
}
