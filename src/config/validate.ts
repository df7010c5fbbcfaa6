/** Validation of a configuration: all mistakes at once, in plain words. */
import { suggestion } from "../base/did-you-mean.ts";
import { logRooms, ModTsError } from "../base/errors.ts";
import { logLevels } from "../base/log.ts";

/** Appends mistakes of `value`; `path` is its position, e.g. `limits.bodyBytes`. */
type Check = (value: unknown, path: string, mistakes: string[]) => void;

/** One line per mistake. Never throws. */
export function findMistakes(input: unknown): string[] {
  const mistakes: string[] = [];
  config(input, "", mistakes);
  return mistakes;
}

export function configInvalid(file: string, mistakes: readonly string[]): ModTsError {
  const lines = mistakes.map((mistake) => `  - ${mistake}`);
  const details = { file, count: mistakes.length, list: lines.join("\n") };
  return new ModTsError("MODTS_CONFIG_INVALID", details);
}

/** What a sidecar with a name has: what `TsAddSidecar` offers. */
export function judgeNamed(
  config: Readonly<Partial<Record<"secret" | "listen", unknown>>> & {
    readonly origin?: { readonly clientHeader?: string | undefined } | undefined;
  },
  mistakes: string[],
): void {
  if (config.secret === undefined) mistakes.push("name: it needs secret or secretFile");
  if (config.listen) mistakes.push("listen: a sidecar with a name has Unix sockets");
  if (config.origin?.clientHeader !== undefined) {
    mistakes.push("origin.clientHeader: a sidecar with a name has a header of its own");
  }
}

const minute = 60_000;
const day = 24 * 60 * minute;

/** Below, a worker that has served nothing yet would be replaced. */
const leastMemory = 128 * 1024 * 1024;

const workerLimits = {
  workers: integer(1, 512),
  memoryBytes: zeroOr(leastMemory),
  heapBytes: zeroOr(leastMemory / 4),
  requests: integer(0, Number.MAX_SAFE_INTEGER),
  age: zeroOr(minute),
};

/** Part of the names of macros, providers and connections of Apache; main is the one without a name. */
function sidecarName(value: unknown, path: string, mistakes: string[]): void {
  if (typeof value === "string" && /^(?!main$)[a-z][a-z0-9-]{0,31}$/.test(value)) return;
  complain(mistakes, path, "lower-case letters, digits and -, but not main", value);
}

const config: Check = shape({
  name: sidecarName,
  handlers: list(text()),
  run: text(),
  state: text(),
  listen: shape({ host: text(), port: integer(1, 65_535) }, ["host", "port"]),
  listenAt: oneOf(["start", "ready"]),
  authorizer: shape(
    { ...workerLimits, host: text(), port: integer(1, 65_535), workers: integer(0, 512) },
    ["port"],
  ),
  socketGroup: text(),
  // Shorter secrets could be guessed over the network.
  secret: text(16),
  secretFile: text(),
  secrets: record(
    /^[\w.-]+$/,
    either(text(), shape({ file: text() }, ["file"]), "a string or { file: name }"),
    "a name is made of letters, digits, _, . and -",
  ),
  // The name becomes a file name and a name in the Apache configuration.
  pools: record(/^[a-z][a-z0-9_-]{0,31}$/i, shape(workerLimits, ["workers"])),
  preload: list(text(), 0),
  background: shape({
    pool: text(),
    modules: list(text(), 0),
    schedule: record(
      /^[a-z][a-z0-9_-]{0,31}$/i,
      shape({ cron: text(), run: text(), timezone: text() }, ["cron", "run"]),
    ),
  }),
  connections: record(
    /^[a-z][a-z0-9_-]{0,31}$/i,
    shape(
      {
        run: text(),
        host: text(),
        port: integer(1, 65_535),
        path: text(),
        pool: text(),
        tls: shape({ certFile: text(), keyFile: text() }, ["certFile", "keyFile"]),
        limit: integer(1, 100_000),
        idleTimeout: zeroOr(1000, day),
      },
      ["run"],
    ),
  ),
  auth: record(
    /^[a-z][a-z0-9_-]{0,31}$/i,
    shape(
      {
        convention: oneOf(["forwarded", "original", "path"]),
        access: text(),
        authen: text(),
        authz: text(),
        options: record(/^\S+$/, text(), "must not contain white space"),
      },
      ["convention"],
    ),
  ),
  fastify: list(text(), 0),
  origin: shape({ url: text(), requestWorkers: integer(1, 100_000), clientHeader: text() }, [
    "url",
  ]),
  limits: shape({
    headerBytes: integer(1024, 16 * 1024 * 1024),
    bodyBytes: integer(0, Number.MAX_SAFE_INTEGER),
    handlerTimeout: integer(1, day),
    waitingRequests: integer(1, 100_000),
    evaluateTimeout: integer(1, 10 * minute),
    readyTimeout: integer(100, day),
    blockedTimeout: zeroOr(1000, day),
    overdueHandlers: integer(0, 1_000_000),
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
  accessLog: text(),
  log: shape({
    level: oneOf(logLevels),
    levels: shape(Object.fromEntries(logRooms.map((room) => [room, oneOf(logLevels)]))),
    format: oneOf(["json", "text", "short"]),
    file: text(0),
    access: flag,
    slow: integer(0, day),
  }),
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
  return `${path} is not an option${suggestion(name, names) || `; expected one of ${names.join(", ")}`}`;
}

function record(
  names: RegExp,
  check: Check,
  rule = "a name is a letter and up to 31 letters, digits, - or _",
): Check {
  return (value, path, mistakes) => {
    if (!isPlainObject(value)) return complain(mistakes, path, "an object", value);
    for (const [name, member] of Object.entries(value)) {
      if (!names.test(name)) mistakes.push(`${join(path, name)}: ${rule}`);
      check(member, join(path, name), mistakes);
    }
  };
}

function list(check: Check, least = 1): Check {
  return (value, path, mistakes) => {
    if (!Array.isArray(value)) return complain(mistakes, path, "a list", value);
    if (value.length < least) mistakes.push(`${path} must not be empty`);
    for (const [index, member] of value.entries()) check(member, `${path}[${index}]`, mistakes);
  };
}

function text(least = 1): Check {
  return (value, path, mistakes) => {
    if (typeof value !== "string") return complain(mistakes, path, "a string", value);
    // The value may be the secret: it is never shown.
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

/** A whole number that is 0, for "no limit", or at least `least`. */
function zeroOr(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  const check = integer(least, most);
  return (value, path, mistakes) => {
    if (value !== 0) check(value, path, mistakes);
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

/** Longer strings could be a secret in the wrong place. */
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
