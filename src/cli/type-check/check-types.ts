/** Type check of handlers and pages for `mod-ts check`; handlers run without it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { realpath } from "../../loader/disk.ts";
import { withScratch } from "../../base/scratch.ts";
import { type Finding, finding } from "../../httpd/finding.ts";
import { formatPosition, locateImport } from "../../loader/build-error.ts";
import { sourceColumn } from "../../loader/compile.ts";
import {
  type Diagnostic,
  findTypeScript,
  parseDiagnostics,
  runTsc,
  type TypeScript,
} from "./typescript.ts";
import { formatContracts, placeContract } from "./contracts.ts";
import { type Mirror, type MirroredPage, mirrorPages, tsconfigOf } from "./mirror.ts";
import { type Job, makeSettings, type Settings } from "./settings.ts";

/** The first errors often cause the others. */
const most = 50;

/** Checks the handlers and pages of directories. Never rejects: a failure is a finding. */
export async function checkTypes(roots: readonly string[]): Promise<Finding[]> {
  const directories = outermost(roots);
  const findings: Finding[] = [];
  for (const root of directories) findings.push(...(await checkDirectory(root)));
  // Two of them may have a tsconfig.json in common.
  return [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()];
}

async function checkDirectory(root: string): Promise<Finding[]> {
  try {
    const found = findTypeScript(root);
    return Array.isArray(found)
      ? [missing(root, found)]
      : await withScratch("mod-ts-types-", (scratch) => compile(root, scratch, found));
  } catch (error) {
    const todo = (error as Error).message;
    return [finding("bad", "type check failed", { where: root, todo })];
  }
}

/** A root while it is checked. */
interface Checked {
  readonly root: string;
  /** Private, as pages may be secret. */
  readonly scratch: string;
  /** Directory of the translated pages. */
  readonly mirror: string;
  readonly made: Mirror;
}

async function compile(root: string, scratch: string, typeScript: TypeScript): Promise<Finding[]> {
  const mirror = join(scratch, "pages");
  mkdirSync(mirror);
  const checked = { root, scratch, mirror, made: mirrorPages(root, mirror) };
  const findings = checked.made.failures.map(({ message, ...place }) =>
    bad(message, formatPosition(place)),
  );
  let count = 0;
  for (const job of jobsOf(checked)) {
    const { config, mistakes } = await makeSettings(job, typeScript);
    count += config.files.length;
    findings.push(
      ...mistakes.map(({ message, file: where = root, ...at }) =>
        bad(message, formatPosition({ file: where, ...at })),
      ),
    );
    if (config.files.length === 0) continue;
    const diagnostics = await runCompiler(checked, config, typeScript);
    findings.push(...diagnostics.flatMap((diagnostic) => judge(diagnostic, job, checked)));
  }
  if (findings.length > 0) return shorten(findings);
  return count > 0 ? [right(root, count)] : [];
}

/** One program for each tsconfig.json: a directory may have settings that others do not. */
function jobsOf({ root, mirror, made }: Checked): Job[] {
  const pages = [...made.pages.keys()];
  const applying = (name: string): string | undefined => tsconfigOf(join(root, name));
  const modulesBy = Map.groupBy(made.modules, applying);
  const pagesBy = Map.groupBy(pages, applying);
  return [...new Set([...modulesBy.keys(), ...pagesBy.keys()])].map((tsconfig) => ({
    root,
    mirror,
    tsconfig,
    modules: modulesBy.get(tsconfig) ?? [],
    pages: pagesBy.get(tsconfig) ?? [],
  }));
}

async function runCompiler(
  { root, scratch }: Checked,
  config: Settings["config"],
  { tsc }: TypeScript,
): Promise<Diagnostic[]> {
  // Not all modules: a tsconfig.json may exclude some.
  const contracts = formatContracts(config.files.filter((name) => name.startsWith(root + sep)));
  // Outside of the mirror, where pages could import it by its name.
  const contractsFile = join(scratch, "contracts.ts");
  writeFileSync(contractsFile, contracts.code);
  const file = join(scratch, "tsconfig.json");
  writeFileSync(file, JSON.stringify({ ...config, files: [...config.files, contractsFile] }));
  const output = await runTsc(tsc, ["-p", file, "--pretty", "false"], scratch);
  return parseDiagnostics(output, scratch).map((diagnostic) =>
    diagnostic.file === contractsFile ? placeContract(diagnostic, contracts) : diagnostic,
  );
}

/** A diagnostic at its place in the source; none in files of other settings, or outside of `root`. */
function judge(
  diagnostic: Diagnostic,
  { tsconfig }: Job,
  { root, mirror, made }: Checked,
): Finding[] {
  const { file, line, column, message } = diagnostic;
  if (file === undefined) return [bad(message, tsconfig ?? root)];
  const name = relative(mirror, file).replace(/\.ts$/, "");
  const page = made.pages.get(name);
  const source = page ? join(root, name) : file;
  if (!source.startsWith(root + sep) || tsconfigOf(source) !== tsconfig) return [];
  const place = page ? placeInPage(diagnostic, page) : { line, column };
  return [bad(message, formatPosition({ file: source, ...place }))];
}

function placeInPage(
  { line, column, message }: Diagnostic,
  { text, columns }: MirroredPage,
): { line: number; column: number } {
  // Includes are imports in the first line of the code.
  const specifier = line === 1 ? /'(\.[^']+\.tsp)'/.exec(message)?.[1] : undefined;
  const place = specifier === undefined ? undefined : locateImport(text, specifier);
  if (place && place.line > 0) return place;
  return { line, column: sourceColumn(columns, line, column) };
}

function bad(what: string, where: string): Finding {
  return finding("bad", what, { where });
}

function right(where: string, count: number): Finding {
  return finding("ok", `types of ${count} handlers and pages are valid`, { where });
}

function missing(where: string, packages: readonly string[]): Finding {
  const what = `types of handlers and pages are not checked: ${packages.join(" and ")} not installed`;
  return finding("note", what, { where, todo: `npm install --save-dev ${packages.join(" ")}` });
}

function shorten(findings: readonly Finding[]): Finding[] {
  const rest = findings.length - most;
  if (rest <= 0) return [...findings];
  return [...findings.slice(0, most), finding("bad", `${rest} more type errors`)];
}

/** Real paths; a directory inside another one is checked with it. */
function outermost(roots: readonly string[]): string[] {
  const real = [...new Set(roots.map((root) => realpath(root) ?? root))];
  return real.filter((root) => !real.some((other) => root.startsWith(other + sep)));
}
