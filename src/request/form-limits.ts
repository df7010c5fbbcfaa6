/**
 * How much a form may send. Each limit bounds something that a client could otherwise make us hold.
 *
 * | option (`Use TsOption …`)     | means                                                       | default    |
 * |-------------------------------|-------------------------------------------------------------|------------|
 * | `mod_ts.form.fields`          | fields, those of the query included                         | 1,000      |
 * | `mod_ts.form.name_bytes`      | bytes of the name of a field                                | 1,024      |
 * | `mod_ts.form.field_bytes`     | bytes of the value of a field that is no file               | 1 MiB      |
 * | `mod_ts.form.memory_bytes`    | bytes of all names and values together, without files       | 8 MiB      |
 * | `mod_ts.form.files`           | files                                                       | 20         |
 * | `mod_ts.form.file_bytes`      | bytes of a file                                             | 100 MiB    |
 * | `mod_ts.form.require_length`  | `on`: a body without `Content-Length` is refused with 411   | off        |
 * @module
 */
import { ModTsError } from "../errors.ts";
import { oncePerSection, SectionOptions } from "../section-options.ts";
import type { Dictionary } from "./exchange.ts";

/** Limits of one form; over one of them the client gets 413. */
export interface FormLimits {
  /** Fields, those of the query included. */
  readonly fields: number;
  /** Bytes of a field's name. */
  readonly nameBytes: number;
  /** Bytes of the value of a field that is no file. */
  readonly fieldBytes: number;
  /** Bytes of all names and values together, without files. */
  readonly memoryBytes: number;
  /** Files. */
  readonly files: number;
  /** Bytes of a file. */
  readonly fileBytes: number;
  /** A body must say its length beforehand, else 411. */
  readonly requireLength: boolean;
}

const mebibyte = 1024 ** 2;

/** The limits that the configuration of a section sets. Throws `MODTS_BAD_OPTION`. */
export const formLimits: (options: Dictionary) => FormLimits = oncePerSection((values) => {
  const options = new SectionOptions(values, "form");
  const number = (key: string, fallback: number): number =>
    options.number(key, fallback, [0, 1e12]);
  options.allowOnly(
    "fields",
    "name_bytes",
    "field_bytes",
    "memory_bytes",
    "files",
    "file_bytes",
    "require_length",
  );
  return {
    fields: number("fields", 1000),
    nameBytes: number("name_bytes", 1024),
    fieldBytes: number("field_bytes", mebibyte),
    memoryBytes: number("memory_bytes", 8 * mebibyte),
    files: number("files", 20),
    fileBytes: number("file_bytes", 100 * mebibyte),
    requireLength: options.flag("require_length"),
  };
});

/**
 * The limits of one call. Attack: an option that is passed on and happens to be undefined, or misspelt, would lift a limit; so the
 * first means the limit in force, and the second throws `MODTS_BAD_ARGUMENT`.
 */
export function changeLimits(limits: FormLimits, changes: Partial<FormLimits>): FormLimits {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const usual = Object.hasOwn(limits, name) ? limits[name as keyof FormLimits] : undefined;
    if (typeof value === typeof usual && (typeof value === "boolean" || value >= 0)) continue;
    const isKnown = usual !== undefined;
    const reason = isKnown ? `${name} cannot be ${String(value)}` : `there is no limit ${name}`;
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "req.form", reason });
  }
  return { ...limits, ...Object.fromEntries(given) };
}
