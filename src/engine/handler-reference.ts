/** Handler references, as they stand in the Apache configuration. */
import type { CallCounts } from "../base/counts.ts";
import { ModTsError } from "../base/errors.ts";

/** A configured handler: `file.ts`, `file.ts::name`, `file.ts::Class.method`, `mod_ts/name`. */
export interface HandlerReference {
  /** As written. */
  readonly text: string;
  /** The part before `::`. */
  readonly module: string;
  /** The names after `::`; empty means the default name of the phase. */
  readonly path: readonly string[];
  /** Of the phase that it belongs to, from its first call on. */
  counts?: CallCounts;
}

/** @throws ModTsError `MODTS_BAD_REFERENCE` */
export function parseReference(text: string): HandlerReference {
  const [module = "", path, ...more] = text.split("::");
  const names = path === undefined ? [] : path.split(".");
  if (!module) throw badReference(text, "the file is missing");
  if (more.length > 0) throw badReference(text, "more than one ::");
  if (names.includes("")) throw badReference(text, "a name is empty");
  return { text, module, path: names };
}

/**
 * Of `Use TsModule`, which looks exports up by itself.
 * @throws ModTsError `MODTS_BAD_REFERENCE`
 */
export function parseModule(text: string): HandlerReference {
  const reference = parseReference(text);
  if (reference.path.length > 0 || /\s/.test(text)) throw badReference(text, "not one module");
  return reference;
}

export function badReference(reference: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_REFERENCE", { reference, reason });
}
