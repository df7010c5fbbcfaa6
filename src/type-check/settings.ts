/**
 * The compiler's settings for a folder of handlers: those of its own `tsconfig.json`, or strict ones, and what pages need.
 * @module
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { TypeScript } from "./find-typescript.ts";
import { nearest } from "./mirror.ts";
import { type Diagnostic, parseDiagnostics, runTsc } from "./run-tsc.ts";

type Options = Record<string, unknown>;

/** A complete `tsconfig.json`, and what is wrong with the one that it was made of. */
export interface Settings {
  readonly config: { readonly compilerOptions: Options; readonly files: readonly string[] };
  readonly mistakes: readonly Diagnostic[];
}

/** Where there is no tsconfig.json. */
const strict: Options = { strict: true, target: "esnext", lib: ["esnext"] };

/** Handlers run as they are, import each other with their extensions, and share their relative names with the mirror. */
const needed: Options = {
  noEmit: true,
  module: "preserve",
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  // The code around a page need not use all that it declares.
  noUnusedLocals: false,
  noUnusedParameters: false,
};

/** Options that would clash with these, or write files. */
const unwanted = [
  "composite",
  "incremental",
  "tsBuildInfoFile",
  "declaration",
  "declarationMap",
  "emitDeclarationOnly",
  "outDir",
  "outFile",
  "rootDir",
  "sourceMap",
  "inlineSourceMap",
  "customConditions",
];

/** What is to be checked. */
export interface Job {
  /** Folder of handlers. */
  readonly root: string;
  /** Where its pages were translated to. */
  readonly mirror: string;
  /** Names of the files below both. */
  readonly modules: readonly string[];
  readonly pages: readonly string[];
}

/** Makes the settings. Rejects when the compiler cannot read the tsconfig.json of the folder. */
export async function makeSettings(job: Job, typeScript: TypeScript): Promise<Settings> {
  const { root, mirror, modules, pages } = job;
  const own = await ownSettings(root, typeScript);
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
  /** Absolute paths of the modules of the folder that it names; missing when it names none of them. */
  readonly files?: readonly string[];
  readonly mistakes: readonly Diagnostic[];
}

async function ownSettings(root: string, { tsc }: TypeScript): Promise<OwnSettings> {
  const file = nearest(root, "tsconfig.json");
  if (file === undefined) return { options: strict, paths: {}, mistakes: [] };
  const folder = dirname(file);
  const [text, mistakes] = await Promise.all([
    runTsc(tsc, ["-p", file, "--showConfig"], folder),
    mistakesIn(file, tsc),
  ]);
  const shown = JSON.parse(text) as { compilerOptions?: Options; files?: string[] };
  const { paths = {}, ...options } = shown.compilerOptions ?? {};
  for (const name of unwanted) delete options[name];
  const files = (shown.files ?? [])
    .map((name) => resolve(folder, name))
    .filter((name) => name.startsWith(`${root}/`));
  return {
    options,
    paths: absolute(paths as Record<string, string[]>, folder),
    mistakes,
    ...(files.length > 0 && { files }),
  };
}

/** `--showConfig` leaves out what it cannot read, and says nothing: a check that was meant to be strict would not be. */
async function mistakesIn(file: string, tsc: string): Promise<Diagnostic[]> {
  const folder = dirname(file);
  const args = ["-p", file, "--noEmit", "--listFilesOnly", "--pretty", "false"];
  const found = parseDiagnostics(await runTsc(tsc, args, folder), folder);
  return found.filter((diagnostic) => diagnostic.file === file);
}

function absolute(paths: Record<string, string[]>, folder: string): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(paths).map(([name, targets]) => [
      name,
      targets.map((target) => resolve(folder, target)),
    ]),
  );
}

/** What `mod-ts` stands for is this very package, whatever is installed beside the handlers. */
function facePaths(): Record<string, string[]> {
  return { "mod-ts": [typesOf("index")], "mod-ts/config": [typesOf("config")] };
}

/** In the package declarations, in a checkout the source. */
function typesOf(name: string): string {
  const types = fileURLToPath(new URL(`../${name}.d.ts`, import.meta.url));
  return existsSync(types) ? types : types.replace(/\.d\.ts$/, ".ts");
}
