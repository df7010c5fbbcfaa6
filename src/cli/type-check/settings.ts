/** Compiler settings for handlers and pages: of their `tsconfig.json`, or strict ones. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Diagnostic, parseDiagnostics, runTsc, type TypeScript } from "./typescript.ts";
import { tsconfigOf } from "./mirror.ts";

type Options = Record<string, unknown>;

/** A complete `tsconfig.json`, and errors of the original. */
export interface Settings {
  readonly config: { readonly compilerOptions: Options; readonly files: readonly string[] };
  readonly mistakes: readonly Diagnostic[];
}

/** Without a tsconfig.json. */
const strict: Options = { strict: true, target: "esnext", lib: ["esnext"] };

/** Handlers run uncompiled, import with extensions, and share relative names with the mirror. */
const needed: Options = {
  noEmit: true,
  module: "preserve",
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  // The code around a page need not use all its declarations.
  noUnusedLocals: false,
  noUnusedParameters: false,
};

/** Options that conflict with these, or write files. */
const unwanted = (
  "composite incremental tsBuildInfoFile declaration declarationMap emitDeclarationOnly " +
  "outDir outFile rootDir sourceMap inlineSourceMap customConditions"
).split(" ");

export interface Job {
  readonly root: string;
  /** Of all its modules and pages; undefined if they have none. */
  readonly tsconfig: string | undefined;
  /** Directory of the translated pages. */
  readonly mirror: string;
  /** File names below both. */
  readonly modules: readonly string[];
  readonly pages: readonly string[];
}

/** Rejects if the compiler cannot read the tsconfig.json. */
export async function makeSettings(job: Job, typeScript: TypeScript): Promise<Settings> {
  const { root, mirror, modules, pages } = job;
  const own = await ownSettings(job, typeScript);
  const paths = { ...own.paths, ...facePaths() };
  const compilerOptions = {
    ...own.options,
    ...needed,
    paths,
    rootDirs: [root, mirror],
    types: [...new Set(["node", ...((own.options["types"] as string[]) ?? [])])],
    typeRoots: [typeScript.typeRoot],
  };
  const files = [
    ...(own.files ?? modules.map((name) => join(root, name))),
    ...pages.map((name) => join(mirror, `${name}.ts`)),
  ];
  return { config: { compilerOptions, files }, mistakes: own.mistakes };
}

interface OwnSettings {
  readonly options: Options;
  readonly paths: Record<string, string[]>;
  /** Absolute paths of its modules; missing if it lists none. */
  readonly files?: readonly string[];
  readonly mistakes: readonly Diagnostic[];
}

async function ownSettings(
  { root, tsconfig: file }: Job,
  { tsc }: TypeScript,
): Promise<OwnSettings> {
  if (file === undefined) return { options: strict, paths: {}, mistakes: [] };
  const directory = dirname(file);
  const [text, mistakes] = await Promise.all([
    runTsc(tsc, ["-p", file, "--showConfig"], directory),
    mistakesIn(file, tsc),
  ]);
  const shown = JSON.parse(text) as { compilerOptions?: Options; files?: string[] };
  const { paths = {}, ...options } = shown.compilerOptions ?? {};
  for (const name of unwanted) delete options[name];
  const files = (shown.files ?? [])
    .map((name) => resolve(directory, name))
    .filter((name) => name.startsWith(`${root}/`) && tsconfigOf(name) === file);
  return {
    options,
    paths: absolute(paths as Record<string, string[]>, directory),
    mistakes,
    ...(files.length > 0 && { files }),
  };
}

/** `--showConfig` silently omits invalid options: a check meant to be strict would not be. */
async function mistakesIn(file: string, tsc: string): Promise<Diagnostic[]> {
  const directory = dirname(file);
  const args = ["-p", file, "--noEmit", "--listFilesOnly", "--pretty", "false"];
  const found = parseDiagnostics(await runTsc(tsc, args, directory), directory);
  return found.filter((diagnostic) => diagnostic.file === file);
}

function absolute(paths: Record<string, string[]>, directory: string): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(paths).map(([name, targets]) => [
      name,
      targets.map((target) => resolve(directory, target)),
    ]),
  );
}

/** `mod-ts` is this package, whatever is installed beside the handlers. */
function facePaths(): Record<string, string[]> {
  return {
    "mod-ts": [typesOf("index")],
    "mod-ts/config": [typesOf("config/config")],
    "mod-ts/testing": [typesOf("testing/testing")],
  };
}

/** Declarations in the package, the source in a checkout. */
function typesOf(name: string): string {
  const types = fileURLToPath(new URL(`../../${name}.d.ts`, import.meta.url));
  return existsSync(types) ? types : types.replace(/\.d\.ts$/, ".ts");
}
