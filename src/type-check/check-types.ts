/**
 * The types of handlers and pages, for `mod-ts check`. Handlers run without that; this is what tells of mistakes before a request does.
 * @module
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import type { Finding } from "../httpd/finding.ts";
import { formatPosition, locateImport } from "../loader/build-error.ts";
import { sourceColumn } from "../loader/columns.ts";
import { findTypeScript, type TypeScript } from "./find-typescript.ts";
import { type Mirror, type MirroredPage, mirrorPages } from "./mirror.ts";
import { type Diagnostic, parseDiagnostics, runTsc } from "./run-tsc.ts";
import { makeSettings } from "./settings.ts";

/** Mistakes that are shown; the first ones lead to the others most often. */
const most = 50;

/** Checks the handlers and pages in some folders. Never rejects: what goes wrong is a finding, too. */
export async function checkTypes(roots: readonly string[]): Promise<Finding[]> {
  const folders = outermost(roots);
  const findings: Finding[] = [];
  for (const root of folders) findings.push(...(await checkFolder(root)));
  return findings;
}

async function checkFolder(root: string): Promise<Finding[]> {
  try {
    const found = findTypeScript(root);
    return Array.isArray(found) ? [missing(root, found)] : await compileApart(root, found);
  } catch (error) {
    const todo = (error as Error).message;
    return [{ level: "bad", what: "the types could not be checked", where: root, todo }];
  }
}

async function compileApart(root: string, typeScript: TypeScript): Promise<Finding[]> {
  // Private: the pages of the folder may hold what others must not read. By its real path, as the compiler names files by that.
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "mod-ts-types-")));
  try {
    return await compile(root, scratch, typeScript);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function compile(root: string, scratch: string, typeScript: TypeScript): Promise<Finding[]> {
  const mirror = join(scratch, "pages");
  mkdirSync(mirror);
  const made = mirrorPages(root, mirror);
  const pages = [...made.pages.keys()];
  const job = { root, mirror, modules: made.modules, pages };
  const { config, mistakes } = await makeSettings(job, typeScript);
  if (config.files.length === 0) return [];
  const file = join(scratch, "tsconfig.json");
  writeFileSync(file, JSON.stringify(config));
  const output = await runTsc(typeScript.tsc, ["-p", file, "--pretty", "false"], scratch);
  const diagnostics = parseDiagnostics(output, scratch);
  const findings = [
    ...mistakes.map(({ message, file: where = root, ...at }) =>
      bad(message, formatPosition({ file: where, ...at })),
    ),
    ...made.failures.map(({ message, ...place }) => bad(message, formatPosition(place))),
    ...diagnostics.flatMap((diagnostic) => judge(diagnostic, { root, mirror, made })),
  ];
  return findings.length > 0 ? shorten(findings) : [right(root, config.files.length)];
}

/** What a complaint says to the author; nothing when it is not about a file of the author's. */
function judge(
  diagnostic: Diagnostic,
  { root, mirror, made }: { root: string; mirror: string; made: Mirror },
): Finding[] {
  const { file, line, column, message } = diagnostic;
  if (file === undefined) return [bad(message, root)];
  const name = relative(mirror, file).replace(/\.ts$/, "");
  const page = made.pages.get(name);
  if (page) {
    const place = { file: join(root, name), ...placeInPage(diagnostic, page) };
    return [bad(message, formatPosition(place))];
  }
  return file.startsWith(root + sep) ? [bad(message, formatPosition({ file, line, column }))] : [];
}

function placeInPage(
  { line, column, message }: Diagnostic,
  { text, columns }: MirroredPage,
): { line: number; column: number } {
  // All includes are imports in the first line of the code.
  const specifier = line === 1 ? /'(\.[^']+\.tsp)'/.exec(message)?.[1] : undefined;
  const place = specifier === undefined ? undefined : locateImport(text, specifier);
  if (place && place.line > 0) return place;
  return { line, column: sourceColumn(columns, line, column) };
}

function bad(what: string, where: string): Finding {
  return { level: "bad", what, where };
}

function right(root: string, count: number): Finding {
  return { level: "ok", what: `the types of ${count} handlers and pages are right`, where: root };
}

function missing(root: string, packages: readonly string[]): Finding {
  return {
    level: "note",
    what: `types of handlers and pages are not checked: ${packages.join(" and ")} is not installed`,
    where: root,
    todo: `npm install --save-dev ${packages.join(" ")}`,
  };
}

function shorten(findings: readonly Finding[]): Finding[] {
  const rest = findings.length - most;
  if (rest <= 0) return [...findings];
  return [...findings.slice(0, most), { level: "bad", what: `${rest} more mistakes of this kind` }];
}

/** Real paths; a folder inside of another one is checked with that. */
function outermost(roots: readonly string[]): string[] {
  const real = [...new Set(roots.map(realOrSame))];
  return real.filter((root) => !real.some((other) => root.startsWith(other + sep)));
}

function realOrSame(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
