/**
 * Options of the built-in handlers, `Use TsOption mod_ts.<handler>.<key> value`.
 *
 * They are read once for each configuration, and an invalid one is a 500 that names the option: a
 * handler that protects a resource must not guess.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { oncePer } from "./cache.ts";
import { ModTsError } from "./errors.ts";
import { log } from "./log.ts";

/** Names and values, e.g. `req.getOptions()`; without prototype, so any name is a safe index. */
export type Dictionary = Readonly<Record<string, string>>;

export const emptyDictionary: Dictionary = Object.freeze(Object.create(null));

/** `On` or `Off` in any case, as in Apache's own directives; undefined for anything else. */
export function parseFlag(text: string): boolean | undefined {
  if (/^on$/i.test(text)) return true;
  return /^off$/i.test(text) ? false : undefined;
}

let secrets: Dictionary = {};
const warned = new Set<string>();

/** Sets the values of `secret:name` in options: `secrets` of the configuration. */
export function setSecrets(values: Dictionary): void {
  secrets = values;
}

/**
 * Attack: expressions in `.htaccess` can print the text of an option. So a password is written as a
 * reference, and resolved for built-in handlers only: `req.getOptions()` keeps the reference.
 */
const reference = /^(env|secret):([\w.-]+)$/;
const inlinePassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]*:[^/?#@\s]+@/i;

/** Whether a value is a URL with a password. */
export function holdsPassword(value: string): boolean {
  return inlinePassword.test(value);
}

export class SectionOptions {
  readonly #values: Dictionary;
  readonly #prefix: string;

  /** @param handler e.g. `jwt` */
  constructor(values: Dictionary, handler: string) {
    this.#values = values;
    this.#prefix = `mod_ts.${handler}.`;
  }

  /** The value of a key, else `fallback`, else undefined. Throws `MODTS_BAD_OPTION` for a reference without a value. */
  text(key: string, fallback?: string): string | undefined {
    const value = this.#values[this.#prefix + key];
    if (value === undefined) return fallback;
    const [, kind, name = ""] = reference.exec(value) ?? [];
    if (kind === undefined) return this.#inline(key, value);
    const [source, missing] =
      kind === "env"
        ? [process.env, "the environment variable is not set"]
        : [secrets, "not in secrets of mod-ts.config.ts"];
    const found = Object.hasOwn(source, name) ? source[name] : undefined;
    return found ?? this.fail(key, `${value}: ${missing}`);
  }

  #inline(key: string, value: string): string {
    const name = this.#prefix + key;
    if (holdsPassword(value) && !warned.has(name)) {
      warned.add(name);
      const advice = "which .htaccess can print; use secret:name or env:NAME";
      log("warn", `option ${name} holds a password, ${advice}`);
    }
    return value;
  }

  /**
   * The value of a key, or the text of the file that `<key>_file` names: many may read Apache's
   * configuration, so a password belongs in a file. Throws `MODTS_BAD_OPTION`.
   * @param directory base of relative file names
   */
  textOrFile(key: string, directory: string): string | undefined {
    const name = this.text(`${key}_file`);
    if (name === undefined) return this.text(key);
    try {
      return readFileSync(resolve(directory, name), "utf8").trim();
    } catch (error) {
      return this.fail(`${key}_file`, (error as Error).message);
    }
  }

  /** The value of a required key. Throws `MODTS_BAD_OPTION`. */
  required(key: string, hint: string): string {
    const line = `Use TsOption ${this.#prefix}${key}`;
    return this.text(key) ?? this.fail(key, `missing; "${line} …" sets it: ${hint}`);
  }

  /** A whole number within bounds. Throws `MODTS_BAD_OPTION`. */
  number(key: string, fallback: number, [least, most]: readonly [number, number]): number {
    const text = this.text(key);
    if (text === undefined) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return this.fail(key, `expected a whole number from ${least} to ${most}, not "${text}"`);
  }

  /** `On` or `Off`, the default. Throws `MODTS_BAD_OPTION`. */
  flag(key: string): boolean {
    const text = this.text(key, "off") as string;
    return parseFlag(text) ?? this.fail(key, `expected On or Off, not "${text}"`);
  }

  /** `On`, `Off`, or undefined for `Auto`, the default. Throws `MODTS_BAD_OPTION`. */
  flagOrAuto(key: string): boolean | undefined {
    const text = this.text(key, "auto") as string;
    if (/^auto$/i.test(text)) return undefined;
    return parseFlag(text) ?? this.fail(key, `expected Auto, On or Off, not "${text}"`);
  }

  /** Words separated by white space; none when the key is missing. */
  words(key: string): string[] {
    return (this.text(key) ?? "").split(/\s+/).filter(Boolean);
  }

  /**
   * Names that may contain spaces: separated by commas if there is a comma, else by white space, with
   * quotes around a name with spaces.
   */
  names(key: string): string[] {
    const text = this.text(key) ?? "";
    const parts = text.includes(",")
      ? text.split(",")
      : text.split(/(?<!\S)("[^"]*"|'[^']*')(?!\S)|\s+/);
    const names = parts.map((part = "") => part.trim().replace(/^(["'])(.*)\1$/, "$2"));
    return names.filter(Boolean);
  }

  /** An http or https URL without credentials; undefined if missing. Throws `MODTS_BAD_OPTION`. */
  url(key: string): URL | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol)) {
      return this.fail(key, "expected an absolute http or https URL");
    }
    if (url.username || url.password) return this.fail(key, "must not contain a password");
    return url;
  }

  /** Throws `MODTS_BAD_OPTION`. `reason` never contains a value that may be a password. */
  fail(key: string, reason: string): never {
    throw new ModTsError("MODTS_BAD_OPTION", { name: this.#prefix + key, reason });
  }

  /** Throws `MODTS_BAD_OPTION` for other keys: a misspelled option would silently protect less. */
  allowOnly(...keys: readonly string[]): void {
    for (const name of Object.keys(this.#values)) {
      const key = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : undefined;
      if (key !== undefined && !keys.includes(key)) {
        this.fail(key, `unknown option; expected one of ${keys.join(", ")}`);
      }
    }
  }
}

export const oncePerSection: <T>(read: (options: Dictionary) => T) => (options: Dictionary) => T =
  oncePer;
