/**
 * The compiler's settings for a folder of handlers: those of its own `tsconfig.json`, or strict ones, and what pages need.
 * @module
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { TypeScript } from "./find-typescript.ts";
import { nearest } from "./mirror.ts";
import { runTsc } from "./run-tsc.ts";

type Options = Record<string, unknown>;

/** A complete `tsconfig.json`. */
export interface Settings {
  readonly compilerOptions: Options;
  readonly files: readonly string[];
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
  return {
    compilerOptions: {
      ...own.options,
      ...needed,
      paths,
      rootDirs: [root, mirror],
      types: [...new Set(["node", ...((own.options["types"] as string[]) ?? [])])],
      typeRoots: [typeScript.typeRoot],
    },
    files: [
      ...(own.files ?? modules.map((name) => join(root, name))),
      ...pages.map((name) => join(mirror, `${name}.ts`)),
    ],
  };
}

interface OwnSettings {
  readonly options: Options;
  readonly paths: Record<string, string[]>;
  /** Absolute paths of the modules of the folder that it names; missing when it names none of them. */
  readonly files?: readonly string[];
}

async function ownSettings(root: string, { tsc }: TypeScript): Promise<OwnSettings> {
  const file = nearest(root, "tsconfig.json");
  if (file === undefined) return { options: strict, paths: {} };
  const folder = dirname(file);
  const shown = JSON.parse(await runTsc(tsc, ["-p", file, "--showConfig"], folder)) as {
    compilerOptions?: Options;
    files?: string[];
  };
  const { paths = {}, ...options } = shown.compilerOptions ?? {};
  for (const name of unwanted) delete options[name];
  const files = (shown.files ?? [])
    .map((name) => resolve(folder, name))
    .filter((name) => name.startsWith(`${root}/`));
  return {
    options,
    paths: absolute(paths as Record<string, string[]>, folder),
    ...(files.length > 0 && { files }),
  };
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
