/** What files of handlers export, as far as that is known without running them. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { attempt } from "../../base/attempt.ts";
import { ModTsError } from "../../base/errors.ts";
import { isDirectory } from "../../base/files.ts";
import type { PhaseName } from "../../engine/handler.ts";
import type { HandlerReference } from "../../engine/handler-reference.ts";
import { lookupOf, missingExport } from "../../engine/phase-runner.ts";
import { requireKnown, socketExports } from "../../engine/site-modules.ts";
import { translatePage } from "../../handlers/pages/translate.ts";
import { asBuildError } from "../../loader/build-error.ts";
import { compile, compiledExtensions } from "../../loader/compile.ts";
import { isCommonJs } from "../../loader/common-js.ts";
import { exportedNames, fitsCommonJs } from "../../loader/own-exports.ts";

export interface StaticModule {
  readonly file: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Throws for a module without the exports that its line needs. */
export type Judge = (module: StaticModule) => void;

export const needsNothing: Judge = () => {};

/** `Use TsModule`. */
export const needsPhase: Judge = requireKnown;

/** The export that a reference names, else the one with this name. */
export function needsExport({ path }: HandlerReference, otherwise: string): Judge {
  return needsOne([path[0] ?? otherwise]);
}

export function needsHandler(reference: HandlerReference, phase: PhaseName): Judge {
  const names = lookupOf(reference, phase).asked.split("|");
  const isContent = phase === "handler" && reference.path.length === 0;
  return needsOne(isContent ? [...names, ...socketExports] : names);
}

function needsOne(names: readonly string[]): Judge {
  return (module) => {
    if (names.some((name) => Object.hasOwn(module.exports, name))) return;
    throw missingExport(module, names[0] as string);
  };
}

/**
 * Undefined where only its execution would tell: CommonJS, `export *`, pages.
 * @throws ModTsError `MODTS_BUILD_FAILED`
 */
export function readModule(file: string): StaticModule | undefined {
  if (isDirectory(file)) throw broken(file, "it is a directory");
  const extension = extname(file);
  const isPage = extension === ".tsp";
  if (!isPage && !compiledExtensions.includes(extension)) return undefined;
  const source = attempt(() => readFileSync(file, "utf8"), undefined);
  if (source === undefined) return undefined;
  const code = compileOrExplain(file, source);
  const isDynamic =
    isPage || isCommonJs(file, source) || (extension === ".js" && fitsCommonJs(code));
  const names = isDynamic ? undefined : attempt(() => exportedNames(code), undefined);
  return names && { file, exports: Object.fromEntries([...names].map((name) => [name, true])) };
}

function compileOrExplain(file: string, source: string): string {
  try {
    return compile(file, source, { ".tsp": translatePage }).code;
  } catch (error) {
    throw broken(file, asBuildError(error).message);
  }
}

function broken(file: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BUILD_FAILED", { file, reason });
}
