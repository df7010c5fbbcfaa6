/** Limits of a form, each on something that a client could otherwise make us hold (docs/forms.md). */
import { badArgument } from "../../base/errors.ts";
import { oncePerSection, SectionOptions } from "../../base/options.ts";
import type { Dictionary } from "../exchange.ts";

/** Limits of one form; above one of them the response is 413. */
export interface FormLimits {
  /** Including those of the query. */
  readonly fields: number;
  /** Maximum size of a field's name. */
  readonly nameBytes: number;
  /** Maximum size of the value of a field, files excluded. */
  readonly fieldBytes: number;
  /** Maximum size of all names and values, files excluded. */
  readonly memoryBytes: number;
  /** Maximum number of files. */
  readonly files: number;
  /** Maximum size of a file. */
  readonly fileBytes: number;
  /** Rejects bodies without `Content-Length` with 411. */
  readonly requireLength: boolean;
}

const keys = "fields name_bytes field_bytes memory_bytes files file_bytes require_length".split(
  " ",
);
const mebibyte = 1024 ** 2;

/** Limits configured for a section. Throws `MODTS_BAD_OPTION`. */
export const formLimits: (options: Dictionary) => FormLimits = oncePerSection((values) => {
  const options = new SectionOptions(values, "form");
  const number = (key: string, fallback: number): number =>
    options.number(key, fallback, [0, 1e12]);
  options.allowOnly(...keys);
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
 * The limits of one call. Attack: an undefined or misspelled option would lift a limit. So
 * undefined means the configured limit, and an unknown name throws `MODTS_BAD_ARGUMENT`.
 */
export function changeLimits(limits: FormLimits, changes: Partial<FormLimits>): FormLimits {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const usual = Object.hasOwn(limits, name) ? limits[name as keyof FormLimits] : undefined;
    if (typeof value === typeof usual && (typeof value === "boolean" || value >= 0)) continue;
    const isKnown = usual !== undefined;
    const reason = isKnown ? `${name} cannot be ${String(value)}` : `there is no limit ${name}`;
    throw badArgument("req.form", reason);
  }
  return { ...limits, ...Object.fromEntries(given) };
}
