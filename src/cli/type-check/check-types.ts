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
import { type Mirror, type MirroredPage, mirrorPages } from "./mirror.ts";
import { makeSettings } from "./settings.ts";

/** The first errors often cause the others. */
const most = 50;

/** Checks the handlers and pages of directories. Never rejects: a failure is a finding. */
export async function checkTypes(roots: readonly string[]): Promise<Finding[]> {
  const directories = outermost(roots);
  const findings: Finding[] = [];
  for (const root of directories) findings.push(...(await checkDirectory(root)));
  return findings;
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

/** In a private directory, as pages may be secret. */
async function compile(root: string, scratch: string, typeScript: TypeScript): Promise<Finding[]> {
  const mirror = join(scratch, "pages");
  mkdirSync(mirror);
  const made = mirrorPages(root, mirror);
  const pages = [...made.pages.keys()];
  const job = { root, mirror, modules: made.modules, pages };
  const { config, mistakes } = await makeSettings(job, typeScript);
  if (config.files.length === 0) return [];
  // Not all modules: a tsconfig.json may exclude some.
  const contracts = formatContracts(config.files.filter((name) => name.startsWith(root + sep)));
  // Outside of the mirror, where pages could import it by its name.
  const contractsFile = join(scratch, "contracts.ts");
  writeFileSync(contractsFile, contracts.code);
  const file = join(scratch, "tsconfig.json");
  writeFileSync(file, JSON.stringify({ ...config, files: [...config.files, contractsFile] }));
  const output = await runTsc(typeScript.tsc, ["-p", file, "--pretty", "false"], scratch);
  const diagnostics = parseDiagnostics(output, scratch).map((diagnostic) =>
    diagnostic.file === contractsFile ? placeContract(diagnostic, contracts) : diagnostic,
  );
  const findings = [
    ...mistakes.map(({ message, file: where = root, ...at }) =>
      bad(message, formatPosition({ file: where, ...at })),
    ),
    ...made.failures.map(({ message, ...place }) => bad(message, formatPosition(place))),
    ...diagnostics.flatMap((diagnostic) => judge(diagnostic, { root, mirror, made })),
  ];
  return findings.length > 0 ? shorten(findings) : [right(root, config.files.length)];
}

/** A diagnostic at its place in the source; none outside of `root`. */
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
