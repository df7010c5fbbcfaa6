/**
 * What `mod_ts.session.*` and the options of `req.session()` say, checked.
 *
 * | option (`Use TsOption …`)     | means                                                                              |
 * |-------------------------------|------------------------------------------------------------------------------------|
 * | `mod_ts.session.store`        | `sqlite` (the default), `sqlite:file`, `memory`, `redis://…`, `mysql://…`, `postgres://…` |
 * | `mod_ts.session.store_file`   | a file that holds the same, for addresses with a password                          |
 * | `mod_ts.session.table`        | table of a SQL server, `mod_ts_sessions` by default                                |
 * | `mod_ts.session.realm`        | sites that name the same realm share sessions; the host name by default            |
 * | `mod_ts.session.timeout`      | seconds without a request after which a session ends; 1800 by default              |
 * | `mod_ts.session.max_lifetime` | seconds after which it ends in any case; 0, the default: never                     |
 * | `mod_ts.session.lock_timeout` | seconds to wait for another request; 10 by default                                 |
 * | `mod_ts.session.max_bytes`    | bytes of JSON that a session may hold; 65536 by default                            |
 * | `mod_ts.session.name`         | name of the cookie, `tssid` by default                                             |
 * | `mod_ts.session.path`         | path of the cookie, `/` by default                                                 |
 * | `mod_ts.session.domain`       | domain of the cookie; none by default: this host alone                             |
 * | `mod_ts.session.secure`       | `auto` (the default: as the request came), `on` or `off`                           |
 * | `mod_ts.session.same_site`    | `lax` (the default), `strict` or `none`                                            |
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { SessionOptions } from "../request/session.ts";
import { SectionOptions } from "../section-options.ts";

/** Options of one session; those that a section and a call may give. */
export type SessionSettings = Required<Omit<SessionOptions, "domain" | "secure">> & {
  readonly domain: string | undefined;
  /** Undefined: as the request came. */
  readonly secure: boolean | undefined;
  /** Undefined: {@link domain}, else the host name. */
  readonly realm: string | undefined;
  readonly maxBytes: number;
};

const keys = [
  "store",
  "store_file",
  "table",
  "realm",
  "timeout",
  "max_lifetime",
  "lock_timeout",
  "max_bytes",
  "name",
  "path",
  "domain",
  "secure",
  "same_site",
];

const longest = 10 * 366 * 86_400;
const sites = ["lax", "strict", "none"] as const;

/** @throws ModTsError `MODTS_BAD_OPTION` */
export function readSessionSettings(values: Readonly<Record<string, string>>): SessionSettings {
  const options = new SectionOptions(values, "session");
  options.allowOnly(...keys);
  return {
    lock: "exclusive",
    timeout: options.number("timeout", 1800, [1, longest]),
    maxLifetime: options.number("max_lifetime", 0, [0, longest]),
    lockTimeout: options.number("lock_timeout", 10, [0, 3600]),
    // What MariaDB's MEDIUMTEXT holds, four bytes a character.
    maxBytes: options.number("max_bytes", 65_536, [64, 4_194_304]),
    name: options.text("name", "tssid") as string,
    path: options.text("path", "/") as string,
    domain: options.text("domain"),
    secure: readSecure(options),
    sameSite: readSameSite(options),
    realm: options.text("realm"),
  };
}

/** The settings with what a call says. @throws ModTsError `MODTS_BAD_ARGUMENT` */
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
  typeof value === "number" && value >= 0 && value <= longest;
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
  return new ModTsError("MODTS_BAD_ARGUMENT", { name: "req.session", reason });
}

function readSecure(options: SectionOptions): boolean | undefined {
  const value = options.text("secure", "auto");
  if (value === "auto") return undefined;
  if (value === "on" || value === "off") return value === "on";
  return options.fail("secure", "it must be auto, on or off");
}

function readSameSite(options: SectionOptions): SessionSettings["sameSite"] {
  const value = options.text("same_site", "lax");
  const site = sites.find((known) => known === value);
  return site ?? options.fail("same_site", `it must be ${sites.join(", ")}`);
}
