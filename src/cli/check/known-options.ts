/** Names of the built-in handlers, and of the options that mod_ts itself reads, with their values. */
import { isIP } from "node:net";

/** `mod_ts/name`; `mod_ts/refresh` exists in development only. */
export const builtInNames: readonly string[] =
  "test-page forward-auth cgi jwt htpasswd sql login fetch node fastify publisher pages origin status refusal".split(
    " ",
  );

// oxfmt-ignore
const keys: Readonly<Record<string, string>> = {
  cgi: "memory processes queue timeout warm",
  fastify: "application base",
  fetch: "application base",
  form: "field_bytes fields file_bytes files memory_bytes name_bytes require_length",
  "forward-auth": "ask_host groups groups_separator headers host login preset scheme timeout url user",
  htpasswd: "attempts cache file groups limits limits_file require_group",
  jwt: "algorithms audience cache claims cookie groups groups_claim header issuer jwks key require secret timeout tolerance type user",
  login: "attempts ended ended_file key_file lifetime limits limits_file location max_lifetime secure state store title",
  node: "application base",
  origin: "apache preserve_host strip timeout url",
  request: "body_bytes",
  session: "domain lock_timeout max_bytes max_lifetime name path realm same_site secure store store_file table timeout",
  status: "allow",
  ticket: "lifetime scope secure",
  sql: "attempts cache dsn dsn_file legacy limits limits_file password_column query seed table upgrade user_column",
};

/** E.g. `mod_ts.htpasswd.file`; names without the prefix belong to users. */
export const optionNames: readonly string[] = [
  "mod_ts.server_timing",
  "mod_ts.test_page",
  "mod_ts.upgrade",
  "mod_ts.websocket_origins",
  ...Object.entries(keys).flatMap(([handler, names]) =>
    names.split(" ").map((name) => `mod_ts.${handler}.${name}`),
  ),
];

/** Options without which a built-in handler responds with 500 to every request. */
const required: Readonly<Record<string, string>> = {
  fastify: "application",
  fetch: "application",
  "forward-auth": "url",
  htpasswd: "file|groups",
  jwt: "issuer audience jwks|key|secret",
  login: "location store",
  node: "application",
  sql: "dsn|dsn_file",
};

/** For the handler of a reference such as `mod_ts/jwt`: each entry names options of which one must be set. */
export function requiredOptions(reference: string): readonly (readonly string[])[] {
  const [, handler = ""] = /^mod_ts\/([\w-]+)/.exec(reference) ?? [];
  if (!Object.hasOwn(required, handler)) return [];
  const groups = (required[handler] as string).split(" ");
  return groups.map((group) => group.split("|").map((name) => `mod_ts.${handler}.${name}`));
}

/** Each word of a value is one of these, in any case for On, Off and Auto. */
const choices: Readonly<Record<string, string>> = {
  "mod_ts.form.require_length": "On Off",
  "mod_ts.forward-auth.preset":
    "authelia oauth2-proxy authentik vouch tinyauth traefik traefik-forward-auth lemonldap tailscale",
  "mod_ts.forward-auth.scheme": "http https",
  "mod_ts.login.secure": "Auto On",
  "mod_ts.login.store": "htpasswd sql",
  "mod_ts.origin.preserve_host": "On Off",
  "mod_ts.session.same_site": "lax strict none",
  "mod_ts.session.secure": "Auto On Off",
  "mod_ts.sql.legacy": "md5 sha1",
  "mod_ts.sql.upgrade": "On Off",
  "mod_ts.status.allow": "everyone",
  "mod_ts.ticket.scope": "visitor section",
  "mod_ts.ticket.secure": "Auto On",
};

/** The invalid word of a value, and the valid ones; undefined if none is known to be invalid. */
export function wrongWord(
  name: string,
  value: string,
): { word: string; expected: readonly string[] } | undefined {
  const expected = choices[name]?.split(" ");
  if (!expected || /^(?:env|secret):/.test(value)) return undefined;
  const isKnown = (word: string): boolean =>
    expected.some((each) => each === word || (/^[A-Z]/.test(each) && each === capitalized(word))) ||
    (name === "mod_ts.status.allow" && isIP(word.replace(/\/\d+$/, "")) !== 0);
  const word = value.split(/\s+/).find((each) => each !== "" && !isKnown(each));
  return word === undefined ? undefined : { word, expected };
}

function capitalized(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase();
}

const year = 366 * 86_400;

// oxfmt-ignore
/** Least and greatest whole number of each numeric option. */
const bounds: readonly (readonly [names: string, least: number, greatest: number])[] = [
  ["cgi.processes", 1, 4096],
  ["cgi.warm", 0, 256],
  ["cgi.queue", 0, 10_000],
  ["cgi.memory", 32, 65_536],
  ["cgi.timeout origin.timeout", 1, 86_400_000],
  ["form.fields form.name_bytes form.field_bytes form.memory_bytes form.files form.file_bytes", 0, 1e12],
  ["forward-auth.timeout jwt.timeout", 1, 4500],
  ["htpasswd.cache sql.cache", 0, 86_400],
  ["htpasswd.attempts sql.attempts", 0, 1000],
  ["login.attempts", 1, 1000],
  ["login.lifetime login.max_lifetime", 60, year],
  ["jwt.tolerance", 0, 600],
  ["jwt.cache", 30, 86_400],
  ["request.body_bytes", 0, Number.MAX_SAFE_INTEGER],
  ["session.timeout", 1, 10 * year],
  ["session.max_lifetime", 0, 10 * year],
  ["session.lock_timeout", 0, 3600],
  ["session.max_bytes", 64, 4_194_304],
  ["ticket.lifetime", 10, 3600],
];

/** What a numeric option can be, if the value is not that. */
export function wrongNumber(
  name: string,
  value: string,
): { least: number; greatest: number } | undefined {
  const short = name.replace(/^mod_ts\./, "");
  const found = bounds.find(([names]) => names.split(" ").includes(short));
  if (!found || /^(?:env|secret):/.test(value)) return undefined;
  const [, least, greatest] = found;
  const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  return number >= least && number <= greatest ? undefined : { least, greatest };
}
