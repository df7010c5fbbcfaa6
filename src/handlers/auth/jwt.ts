/**
 * `mod_ts/jwt`: bearer tokens (RFC 6750), and tokens in another header or a cookie, verified locally.
 *
 * ```apache
 * <Location "/api">
 *     AuthType mod_ts
 *     Use TsPassAuthorization
 *     Use TsAuthenHandler mod_ts/jwt
 *     Use TsOption mod_ts.jwt.jwks https://id.example.com/.well-known/jwks.json
 *     Use TsOption mod_ts.jwt.issuer https://id.example.com/
 *     Use TsOption mod_ts.jwt.audience my-api
 *     Require valid-user
 * </Location>
 * ```
 */
import { resolve } from "node:path";
import type { JWTPayload } from "jose";
import {
  publicAlgorithms,
  secretAlgorithms,
  TokenRefused,
  type TokenRules,
  TokenVerifier,
} from "./credentials/token-verifier.ts";
import { HttpError } from "../../base/http-error.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { addTerms } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { type Dictionary, oncePerSection, SectionOptions } from "../../base/options.ts";

export interface Jwt {
  /** Admits requests with a valid token, as the user in it. */
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  /** Admits tokens that meet `mod_ts.jwt.require` and `mod_ts.jwt.groups`. */
  authzHandler(req: ApacheRequest): Promise<Outcome>;
}

/** Where a request carries its token. */
interface TokenSource {
  /** The first of these headers that contains a token counts. */
  readonly headers: readonly string[];
  readonly cookie: string | undefined;
}

interface Settings extends TokenSource {
  readonly verifier: TokenVerifier;
  /** Absolute path of the key, if it is a file. */
  readonly files: readonly string[];
  /** The first of these claims that contains text is the user. */
  readonly user: readonly string[];
  readonly groupsClaim: string;
  readonly groups: readonly string[];
  /** Environment variables by claim. */
  readonly variables: ReadonlyMap<string, string>;
  /** Claims that must be present, with a value if one is required. */
  readonly required: readonly (readonly [claim: string, value: string | undefined])[];
}

/** @param folder base of relative key file names */
export function createJwt(folder: string): Jwt {
  const settingsOf = oncePerSection((options) => readSettings(options, folder));
  // For an authz handler beside the authen handler; alone, it verifies the token itself.
  const verified = new WeakMap<ApacheRequest, JWTPayload>();
  const claimsOf = async (req: ApacheRequest): Promise<JWTPayload> => {
    const known = verified.get(req);
    if (known) return known;
    const claims = await verify(req, settingsOf(req.getOptions()));
    verified.set(req, claims);
    return claims;
  };
  return {
    async authenHandler(req) {
      const settings = settingsOf(req.getOptions());
      adopt(req, await claimsOf(req), settings);
      return OK;
    },
    async authzHandler(req) {
      const settings = settingsOf(req.getOptions());
      if (settings.groups.length + settings.required.length === 0) {
        const options = new SectionOptions(req.getOptions(), "jwt");
        options.fail("require", "TsAuthzHandler mod_ts/jwt needs it, or mod_ts.jwt.groups");
      }
      if (holds(await claimsOf(req), settings)) return OK;
      throw new HttpError(403, { headers: challenge(req, "insufficient_scope") });
    },
  };
}

function readSettings(values: Dictionary, folder: string): Settings {
  const options = new SectionOptions(values, "jwt");
  options.allowOnly(...optionNames);
  const path = (key: string): string | undefined => {
    const name = options.text(key);
    return name === undefined ? undefined : resolve(folder, name);
  };
  const source = { jwks: options.url("jwks"), key: path("key"), secret: path("secret") };
  const named = Object.values(source).filter((value) => value !== undefined);
  if (named.length !== 1) options.fail("jwks", "name one of jwks, key and secret");
  return {
    verifier: new TokenVerifier(source, readRules(options, source.secret !== undefined)),
    files: [source.key, source.secret].filter((file) => file !== undefined),
    headers: wordsOr(options, "header", "Authorization"),
    cookie: options.text("cookie"),
    user: wordsOr(options, "user", "sub"),
    groupsClaim: options.text("groups_claim", "groups") as string,
    groups: options.names("groups"),
    variables: readMapping(options),
    required: options.words("require").map(splitRequirement),
  };
}

function wordsOr(options: SectionOptions, key: string, fallback: string): readonly string[] {
  const words = options.words(key);
  return words.length > 0 ? words : [fallback];
}

const optionNames = (
  "jwks key secret issuer audience algorithms type tolerance timeout cache " +
  "header cookie user claims groups groups_claim require"
).split(" ");

function readRules(options: SectionOptions, isSecret: boolean): TokenRules {
  const possible = isSecret ? secretAlgorithms : publicAlgorithms;
  const asked = options.words("algorithms");
  const wrong = asked.find((name) => !possible.includes(name));
  if (wrong)
    options.fail("algorithms", `${wrong} does not go with the key; ${possible.join(" ")} do`);
  // Attack: a token of the same issuer for another application.
  const issuer = options.required("issuer", 'the value of "iss", or "any"');
  const audience = options.required("audience", 'one or more values of "aud", or "any"');
  return {
    algorithms: asked.length > 0 ? asked : possible,
    issuer: issuer === "any" ? undefined : issuer,
    audience: audience === "any" ? undefined : options.words("audience"),
    type: options.text("type"),
    tolerance: options.number("tolerance", 30, [0, 600]),
    timeout: options.number("timeout", 3000, [1, 4500]),
    cache: options.number("cache", 600, [30, 86_400]),
  };
}

/** `email=REMOTE_EMAIL tenant=TENANT` */
function readMapping(options: SectionOptions): ReadonlyMap<string, string> {
  const words = options.words("claims");
  if (words.length === 0) return defaultVariables;
  return new Map(
    words.map((word) => {
      const [, claim = "", variable = ""] = /^(.+)=([A-Za-z_]\w*)$/.exec(word) ?? [];
      if (!claim) options.fail("claims", `"${word}" is not of the form claim=VARIABLE`);
      return [claim, variable] as const;
    }),
  );
}

const defaultVariables: ReadonlyMap<string, string> = new Map([
  ["name", "REMOTE_NAME"],
  ["email", "REMOTE_EMAIL"],
]);

function splitRequirement(word: string): readonly [string, string | undefined] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

async function verify(req: ApacheRequest, settings: Settings): Promise<JWTPayload> {
  const token = findToken(req, settings);
  if (token === undefined) throw new HttpError(401, { headers: challenge(req) });
  try {
    return await settings.verifier.verify(token);
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    throw refuse(req, error.message);
  }
}

function refuse(req: ApacheRequest, reason: string): HttpError {
  req.logError(`mod_ts/jwt: token refused: ${reason}`, "info");
  return new HttpError(401, { headers: challenge(req, "invalid_token") });
}

/** RFC 6750, section 3: without a token the challenge names no error. */
function challenge(req: ApacheRequest, error?: string): Record<string, string> {
  const realm = req.server.serverHostname.replace(/[^\w.:-]/g, "");
  return { "WWW-Authenticate": `Bearer realm="${realm}"${error ? `, error="${error}"` : ""}` };
}

/** Not from the query, which logs and histories contain (RFC 6750, section 5.3). */
function findToken({ headersIn }: ApacheRequest, source: TokenSource): string | undefined {
  for (const name of source.headers) {
    const value = headersIn.getAll(name).join(",");
    // The scheme is part of Authorization only.
    const scheme = /^authorization$/i.test(name) ? "bearer +" : "(?:bearer +)?";
    const [, token] = new RegExp(`^${scheme}([\\w.~+/-]+=*) *$`, "i").exec(value) ?? [];
    if (token) return token;
  }
  return source.cookie === undefined
    ? undefined
    : findCookie(headersIn.getAll("cookie"), source.cookie);
}

function findCookie(lines: readonly string[], name: string): string | undefined {
  const pairs = lines.join("; ").split(/; */);
  const pair = pairs.find((candidate) => candidate.startsWith(`${name}=`));
  return pair?.slice(name.length + 1).replace(/^"(.*)"$/, "$1") || undefined;
}

function adopt(req: ApacheRequest, claims: JWTPayload, settings: Settings): void {
  const user = settings.user.map((name) => textOf(claimOf(claims, name))).find(Boolean);
  if (!user) throw refuse(req, `token has no user in ${settings.user.join(", ")}`);
  const values = new Map<string, string>();
  for (const [claim, variable] of settings.variables) {
    values.set(variable, textOf(claimOf(claims, claim)) ?? "");
  }
  values.set("REMOTE_GROUPS", groupsOf(claims, settings).filter(isPlainGroup).join(","));
  // Attack: a line break begins another variable, or another line of the log.
  if ([user, ...values.values()].some((value) => /[\x00-\x1f\x7f]/.test(value))) {
    throw refuse(req, "a claim contains control characters");
  }
  for (const [variable, value] of values) {
    if (!value) continue;
    req.subprocessEnv.set(variable, value);
    req.notes.set(variable.replace(/^REMOTE_/, "").toLowerCase(), value);
  }
  addTerms(req, settings.files, (claims.exp ?? Infinity) * 1000);
  // Attack: a shared cache keeps the page for everybody; it avoids Authorization, but no other header.
  req.errHeadersOut.add("Cache-Control", "private");
  req.user = user;
  req.authType = "Bearer";
}

/** Attack: a group named `x,admins` would be two groups for a reader of the list. */
function isPlainGroup(group: string): boolean {
  return !group.includes(",");
}

function holds(claims: JWTPayload, settings: Settings): boolean {
  const { groups, required } = settings;
  const own = groups.length > 0 ? groupsOf(claims, settings) : [];
  if (groups.length > 0 && !groups.some((group) => own.includes(group))) return false;
  return required.every(([claim, value]) => {
    const given = claimOf(claims, claim);
    if (value === undefined) return given !== undefined && given !== null && given !== false;
    return wordsOf(given).includes(value);
  });
}

function groupsOf(claims: JWTPayload, { groupsClaim }: Settings): string[] {
  return wordsOf(claimOf(claims, groupsClaim));
}

/** Items of a list, or words of a text, as in `scope` (RFC 8693, section 4.2). */
function wordsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(textOf).filter((item) => item !== undefined);
  return (textOf(value) ?? "").split(/ +/).filter(Boolean);
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** `realm_access.roles`: the claim of that name, else the member `roles` of `realm_access`. */
function claimOf(claims: unknown, name: string): unknown {
  if (typeof claims !== "object" || claims === null) return undefined;
  if (Object.hasOwn(claims, name)) return Reflect.get(claims, name);
  const dot = name.indexOf(".");
  if (dot < 0 || !Object.hasOwn(claims, name.slice(0, dot))) return undefined;
  return claimOf(Reflect.get(claims, name.slice(0, dot)), name.slice(dot + 1));
}
