/** Options `mod_ts.session.*` (docs/sessions.md) and those of `req.session()`, checked. */
import { badArgument, ModTsError } from "../base/errors.ts";
import type { SessionOptions } from "../request/session.ts";
import { SectionOptions } from "../base/options.ts";

/** Options of one session, from a section and a call. */
export type SessionSettings = Required<Omit<SessionOptions, "domain" | "secure">> & {
  readonly domain: string | undefined;
  /** Undefined: as the request came. */
  readonly secure: boolean | undefined;
  /** Undefined: {@link domain}, else the host name. */
  readonly realm: string | undefined;
  readonly maxBytes: number;
};

const keys =
  "store store_file table realm timeout max_lifetime lock_timeout max_bytes name path domain secure same_site";

const maxSeconds = 10 * 366 * 86_400;
const sites = ["lax", "strict", "none"] as const;

/** @throws ModTsError `MODTS_BAD_OPTION` */
export function readSessionSettings(values: Readonly<Record<string, string>>): SessionSettings {
  const options = new SectionOptions(values, "session");
  options.allowOnly(...keys.split(" "));
  return {
    lock: "exclusive",
    timeout: options.number("timeout", 1800, [1, maxSeconds]),
    maxLifetime: options.number("max_lifetime", 0, [0, maxSeconds]),
    lockTimeout: options.number("lock_timeout", 10, [0, 3600]),
    // Fits MariaDB's MEDIUMTEXT at four bytes a character.
    maxBytes: options.number("max_bytes", 65_536, [64, 4_194_304]),
    name: options.text("name", "tssid") as string,
    path: options.text("path", "/") as string,
    domain: options.text("domain"),
    secure: options.flagOrAuto("secure"),
    sameSite: readSameSite(options),
    realm: options.text("realm"),
  };
}

/** Settings with the options of a call. @throws ModTsError `MODTS_BAD_ARGUMENT` */
export function withSessionOptions(
  settings: SessionSettings,
  options: SessionOptions,
): SessionSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof SessionOptions] : undefined;
    if (!check) throw refuse(`there is no option ${name}`);
    if (!check[0](value)) throw refuse(`${name} must be ${check[1]}`);
  }
  return { ...settings, ...Object.fromEntries(given) };
}

type Check = readonly [isGood: (value: unknown) => boolean, text: string];

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isSeconds = (value: unknown): boolean =>
  typeof value === "number" && value >= 0 && value <= maxSeconds;
const seconds: Check = [isSeconds, "a number of seconds, 0 or more"];
const text: Check = [isText, "a string"];

/** Name, path and domain are checked when the cookie is set. */
const checks: Record<keyof SessionOptions, Check> = {
  lock: [
    (value) => ["exclusive", "shared", false].includes(value as string),
    '"exclusive", "shared" or false',
  ],
  lockTimeout: seconds,
  timeout: [(value) => isSeconds(value) && value !== 0, "a number of seconds above 0"],
  maxLifetime: seconds,
  name: text,
  path: text,
  domain: text,
  secure: [(value) => typeof value === "boolean", "true or false"],
  sameSite: [(value) => sites.includes(value as "lax"), sites.join(", ")],
};

function refuse(reason: string): ModTsError {
  return badArgument("req.session", reason);
}

function readSameSite(options: SectionOptions): SessionSettings["sameSite"] {
  const value = options.text("same_site", "lax");
  const site = sites.find((known) => known === value);
  return site ?? options.fail("same_site", `must be ${sites.join(", ")}`);
}
