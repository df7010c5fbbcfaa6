/** Preloaded by threads of handlers (`threads.ts`): imports of TypeScript as in handlers. */
import { readFileSync } from "node:fs";
import { registerHooks, setSourceMapsSupport } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { attempt } from "../base/attempt.ts";
import { isFile } from "../base/files.ts";
import { compile, withInlineMap } from "./compile.ts";
import { isOwnSource } from "./packages.ts";
import { isLocal, resolveLocal } from "./resolve.ts";

setSourceMapsSupport(true);

registerHooks({
  resolve(specifier, context, next) {
    const importer = toPath(context.parentURL);
    if (importer === undefined || !isOwnSource(importer) || !isLocal(specifier)) {
      return next(specifier, context);
    }
    const { file } = resolveLocal(specifier, importer, isFile);
    return next(file === undefined ? specifier : pathToFileURL(file).href, context);
  },
  load(url, context, next) {
    const file = toPath(url);
    if (file === undefined || !isOwnSource(file)) return next(url, context);
    const source = withInlineMap(compile(file, readFileSync(file, "utf8")));
    return { format: "module", source, shortCircuit: true };
  },
});

function toPath(url: string | undefined): string | undefined {
  return url?.startsWith("file:") ? attempt(() => fileURLToPath(url), undefined) : undefined;
}
