/**
 * Options of the built-in handlers, `Use TsOption mod_ts.<handler>.<key> value`: read once for each distinct configuration,
 * and a mistake in them is a 500 that names the option. A handler that guards something must not guess.
 * @module
 */
import { ModTsError } from "./errors.ts";

/** `req.getOptions()`. */
type Dictionary = Readonly<Record<string, string>>;

/** What one handler was told. */
export class SectionOptions {
  readonly #values: Dictionary;
  readonly #prefix: string;

  /** @param handler name of the handler, e.g. `jwt` */
  constructor(values: Dictionary, handler: string) {
    this.#values = values;
    this.#prefix = `mod_ts.${handler}.`;
  }

  /** The value of a key, else `fallback`, else undefined. */
  text(key: string, fallback?: string): string | undefined {
    return this.#values[this.#prefix + key] ?? fallback;
  }

  /** The value of a key that must be there. Throws `MODTS_BAD_OPTION`. */
  required(key: string, hint: string): string {
    return this.text(key) ?? this.fail(key, `it is missing; ${hint}`);
  }

  /** A whole number within bounds. Throws `MODTS_BAD_OPTION`. */
  number(key: string, fallback: number, [least, most]: readonly [number, number]): number {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return this.fail(key, `it must be a whole number from ${least} to ${most}, not "${text}"`);
  }

  /** `on` or `off`, which is also what a missing key means. Throws `MODTS_BAD_OPTION`. */
  flag(key: string): boolean {
    const text = this.text(key, "off");
    if (text === "on" || text === "off") return text === "on";
    return this.fail(key, `it must be on or off, not "${text}"`);
  }

  /** Words between white space; none when the key is missing. */
  words(key: string): string[] {
    return (this.text(key) ?? "").split(/\s+/).filter(Boolean);
  }

  /** An absolute URL of http or https without credentials; undefined when the key is missing. Throws `MODTS_BAD_OPTION`. */
  url(key: string): URL | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol)) {
      return this.fail(key, "it must be an absolute URL of http or https");
    }
    if (url.username || url.password) return this.fail(key, "it must not hold a password");
    return url;
  }

  /** Throws `MODTS_BAD_OPTION` for a key. `reason` never repeats a value that may be a password. */
  fail(key: string, reason: string): never {
    throw new ModTsError("MODTS_BAD_OPTION", { name: this.#prefix + key, reason });
  }

  /** Throws `MODTS_BAD_OPTION` for a key of this handler that is none of these: a misspelt one would silently protect less. */
  allowOnly(...keys: readonly string[]): void {
    for (const name of Object.keys(this.#values)) {
      const key = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : undefined;
      if (key !== undefined && !keys.includes(key)) {
        this.fail(key, `there is no such option; there are: ${keys.join(", ")}`);
      }
    }
  }
}

/** Remembers what `read` made of a configuration. The directives of a section are parsed once, so they are one object. */
export function oncePerSection<T>(read: (options: Dictionary) => T): (options: Dictionary) => T {
  const known = new WeakMap<Dictionary, { readonly value: T }>();
  return (options) => {
    let entry = known.get(options);
    if (!entry) {
      entry = { value: read(options) };
      known.set(options, entry);
    }
    return entry.value;
  };
}
