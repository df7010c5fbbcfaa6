/**
 * Settings of the nearest `tsconfig.json` that change what the compiler emits. Others are for type
 * checks.
 *
 * Read once: a changed tsconfig.json takes effect in new workers, after `mod-ts reload`.
 */
import { dirname } from "node:path";
import { getTsconfig } from "get-tsconfig";
import type { TransformOptions } from "oxc-transform";
import { getOrCreate } from "../base/cache.ts";
import { BuildError } from "./build-error.ts";

export type EmitSettings = Pick<
  TransformOptions,
  "assumptions" | "decorator" | "jsx" | "typescript"
>;

const known = new Map<string, EmitSettings>();

/**
 * Settings for a file. Without a tsconfig.json these are the defaults of TypeScript, and the
 * automatic runtime for JSX.
 * @throws BuildError if the tsconfig.json is invalid
 */
export function emitSettings(file: string): EmitSettings {
  return getOrCreate(known, dirname(file), () => readSettings(file));
}

function readSettings(file: string): EmitSettings {
  // A package comes with its own compilation.
  if (file.includes("/node_modules/")) return {};
  const options = findOptions(file);
  const isClassic = options.jsx === "react";
  return {
    jsx: {
      runtime: isClassic ? "classic" : "automatic",
      ...(options.jsxImportSource !== undefined && { importSource: options.jsxImportSource }),
      ...(isClassic && options.jsxFactory !== undefined && { pragma: options.jsxFactory }),
      ...(isClassic &&
        options.jsxFragmentFactory !== undefined && { pragmaFrag: options.jsxFragmentFactory }),
    },
    decorator: {
      legacy: options.experimentalDecorators === true,
      emitDecoratorMetadata: options.emitDecoratorMetadata === true,
    },
    typescript: {
      onlyRemoveTypeImports: options.verbatimModuleSyntax === true,
      removeClassFieldsWithoutInitializer: options.useDefineForClassFields === false,
    },
    assumptions: { setPublicClassFields: options.useDefineForClassFields === false },
  };
}

function findOptions(file: string): CompilerOptions {
  try {
    return getTsconfig(dirname(file))?.config.compilerOptions ?? {};
  } catch (error) {
    const reason = `the tsconfig.json of this file is invalid: ${(error as Error).message}`;
    throw new BuildError(reason, { file, line: 0, column: 0 }, { cause: error });
  }
}

type CompilerOptions = NonNullable<
  NonNullable<ReturnType<typeof getTsconfig>>["config"]["compilerOptions"]
>;
