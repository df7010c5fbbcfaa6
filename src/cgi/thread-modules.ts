/**
 * How a script's thread loads TypeScript: with the compiler that handlers are compiled by, on Node's own loaders.
 * @module
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { registerHooks } from "node:module";
import * as nodeModule from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import { compile } from "../loader/compile.ts";
import { isLocal, resolveLocal } from "../loader/resolve.ts";

type Format = "module" | "commonjs";

/**
 * Installs the hooks.
 * @param face URL of what `mod-ts` stands for, where no package of that name is found
 */
export function installModuleHooks(face: string): void {
  // Inline maps for our own output; those of packages would cost each script the time to read them.
  nodeModule.setSourceMapsSupport?.(true, { nodeModules: false, generatedCode: false });
  registerHooks({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        const url = specifier === "mod-ts" ? face : findSource(specifier, context.parentURL);
        if (url === undefined) throw error;
        return { url, shortCircuit: true };
      }
    },
    load(url, context, nextLoad) {
      if (!/\.[cm]?tsx?$/.test(url) || !url.startsWith("file:")) return nextLoad(url, context);
      return { ...compileModule(fileURLToPath(url), context.format), shortCircuit: true };
    },
  });
}

/** What TypeScript understands and Node does not: `./a.js` for `a.ts`, `./a`, a folder with an index. */
function findSource(specifier: string, parent: string | undefined): string | undefined {
  if (!isLocal(specifier) || !parent?.startsWith("file:")) return undefined;
  const { file } = resolveLocal(specifier, fileURLToPath(parent), isFile);
  return file === undefined ? undefined : pathToFileURL(file).href;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function compileModule(
  file: string,
  named: string | null | undefined,
): { format: Format; source: string } {
  const { code, map } = compile(file, readFileSync(file, "utf8"));
  const known = /^(module|commonjs)\b/.exec(named ?? "")?.[1] as Format | undefined;
  const format = known ?? (/\.mtsx?$/.test(file) || !isCommonJs(code) ? "module" : "commonjs");
  if (!map) return { format, source: code };
  const encoded = Buffer.from(JSON.stringify(map)).toString("base64");
  const comment = `\n//# sourceMappingURL=data:application/json;base64,${encoded}`;
  return { format, source: code + comment };
}

/** As Node does it for JavaScript (`--experimental-detect-module`): what a CommonJS function cannot hold is a module. */
function isCommonJs(code: string): boolean {
  try {
    compileFunction(code.replace(/^#!.*/, ""), ["exports", "require", "module"]);
    return true;
  } catch {
    return false;
  }
}
