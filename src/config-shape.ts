/**
 * Judges a configuration: every mistake at once, in words for the one who wrote it.
 * @module
 */
import { closest } from "./closest.ts";
import { logLevels } from "./log.ts";

/** Appends what is wrong with `value` to `mistakes`; `path` says where it stands, e.g. `limits.bodyBytes`. */
type Check = (value: unknown, path: string, mistakes: string[]) => void;

/** The mistakes of a configuration, one line each; none when it is sound. Never throws. */
export function findMistakes(input: unknown): string[] {
  const mistakes: string[] = [];
  config(input, "", mistakes);
  return mistakes;
}

const minute = 60_000;
const day = 24 * 60 * minute;

const config: Check = shape({
  handlers: list(text()),
  run: text(),
  state: text(),
  listen: shape({ host: text(), port: integer(1, 65_535) }, ["host", "port"]),
  authorizer: shape({ host: text(), port: integer(1, 65_535) }, ["port"]),
  socketGroup: text(),
  // 16 characters: a secret that can be guessed over the network is none.
  secret: text(16),
  secretFile: text(),
  // The name becomes a file name in the runtime folder and a name in the Apache configuration.
  pools: record(/^[a-z][a-z0-9_-]{0,31}$/i, shape({ workers: integer(1, 512) }, ["workers"])),
  auth: record(
    /^[a-z][a-z0-9_-]{0,31}$/i,
    shape(
      {
        convention: oneOf(["forwarded", "original", "path"]),
        access: text(),
        authen: text(),
        authz: text(),
        options: record(/^\S+$/, text(), "it must hold no white space"),
      },
      ["convention"],
    ),
  ),
  origin: shape({ url: text(), requestWorkers: integer(1, 100_000), clientHeader: text() }, [
    "url",
  ]),
  limits: shape({
    headerBytes: integer(1024, 16 * 1024 * 1024),
    bodyBytes: integer(0, Number.MAX_SAFE_INTEGER),
    handlerTimeout: integer(1, day),
    evaluateTimeout: integer(1, 10 * minute),
  }),
  reload: shape({
    freshness: oneOf(["request", "manual"]),
    watch: either(
      flag,
      shape({ poll: integer(10, minute) }, ["poll"]),
      "true, false or { poll: milliseconds }",
    ),
  }),
  keepAlive: integer(0, day),
  log: shape({ level: oneOf(logLevels) }),
  development: flag,
});

function shape(members: Record<string, Check>, required: readonly string[] = []): Check {
  const names = Object.keys(members);
  return (value, path, mistakes) => {
    if (!isPlainObject(value)) return complain(mistakes, path, "an object", value);
    for (const name of required) {
      if (value[name] === undefined) mistakes.push(`${join(path, name)} is missing`);
    }
    for (const [name, member] of Object.entries(value)) {
      const check = Object.hasOwn(members, name) ? members[name] : undefined;
      if (!check) mistakes.push(unknownKey(join(path, name), name, names));
      else if (member !== undefined) check(member, join(path, name), mistakes);
    }
  };
}

function unknownKey(path: string, name: string, names: readonly string[]): string {
  const guess = closest(name, names);
  return `${path} is not an option${guess ? `; did you mean ${guess}?` : `; there are: ${names.join(", ")}`}`;
}

function record(
  names: RegExp,
  check: Check,
  rule = "a name is a letter and up to 31 letters, digits, - or _",
): Check {
  return (value, path, mistakes) => {
    if (!isPlainObject(value)) return complain(mistakes, path, "an object", value);
    for (const [name, member] of Object.entries(value)) {
      if (!names.test(name)) {
        mistakes.push(`${join(path, name)}: ${rule}`);
      }
      check(member, join(path, name), mistakes);
    }
  };
}

function list(check: Check): Check {
  return (value, path, mistakes) => {
    if (!Array.isArray(value)) return complain(mistakes, path, "a list", value);
    if (value.length === 0) mistakes.push(`${path} must not be empty`);
    for (const [index, member] of value.entries()) check(member, `${path}[${index}]`, mistakes);
  };
}

function text(least = 1): Check {
  return (value, path, mistakes) => {
    if (typeof value !== "string") return complain(mistakes, path, "a string", value);
    // The value may be the secret: say how long it must be, never what it is.
    if (value.length < least) mistakes.push(`${path} must have at least ${least} characters`);
    if (value.includes("\0")) mistakes.push(`${path} must not hold a zero byte`);
  };
}

function integer(least: number, most: number): Check {
  return (value, path, mistakes) => {
    if (!Number.isSafeInteger(value)) return complain(mistakes, path, "a whole number", value);
    const number = value as number;
    if (number < least || number > most) {
      mistakes.push(`${path} must be from ${least} to ${most}, but is ${number}`);
    }
  };
}

function oneOf(names: readonly string[]): Check {
  return (value, path, mistakes) => {
    if (!names.includes(value as string)) {
      complain(mistakes, path, `one of ${names.join(", ")}`, value);
    }
  };
}

function flag(value: unknown, path: string, mistakes: string[]): void {
  if (typeof value !== "boolean") complain(mistakes, path, "true or false", value);
}

function either(first: Check, second: Check, words: string): Check {
  return (value, path, mistakes) => {
    if (isPlainObject(value)) return second(value, path, mistakes);
    const found: string[] = [];
    first(value, path, found);
    if (found.length > 0) complain(mistakes, path, words, value);
  };
}

function complain(mistakes: string[], path: string, wanted: string, value: unknown): void {
  mistakes.push(`${path || "the configuration"} must be ${wanted}, but is ${describe(value)}`);
}

/** No strings longer than a word: one could be a secret in the wrong place. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return value.length <= 12 ? JSON.stringify(value) : "a string";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, name: string): string {
  return path ? `${path}.${name}` : name;
}
