/**
 * Guards `auth`, `access` and `realm` of published modules, objects and functions. They fail
 * closed: only `true` lets a request pass.
 */
import { hash } from "node:crypto";
import { isEqual } from "../../base/crypto.ts";
import { HttpError } from "../../base/http-error.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { type BasicCredentials, parseBasicAuth } from "../../request/basic-auth.ts";
import { schemeOf, verifyPassword } from "../../base/password-hash.ts";
import { ModTsError } from "../../base/errors.ts";

/** Written by authors, and unchecked. */
interface Guarded {
  readonly auth?: unknown;
  readonly access?: unknown;
  readonly realm?: unknown;
}

/**
 * Calls the guards from the outside in until one refuses: `HttpError` 401 for credentials, 403 for
 * a user. Errors of guards propagate, so the request does not pass either.
 */
export async function checkGuards(req: ApacheRequest, guarded: readonly object[]): Promise<void> {
  let realm = "unknown";
  for (const holder of guarded as readonly Guarded[]) {
    if (typeof holder.realm === "string") ({ realm } = holder);
    // A guard that is present but undefined is broken, not missing.
    if ("auth" in holder) await authenticate(req, holder, realm);
    if ("access" in holder && !(await mayAccess(req, holder))) throw new HttpError(403);
  }
}

async function authenticate(req: ApacheRequest, holder: Guarded, realm: string): Promise<void> {
  const { auth } = holder;
  if (auth === true) return;
  const header = req.headersIn.get("authorization");
  const credentials = parseBasicAuth(header);
  if (!credentials) {
    if (/^basic\b/i.test(header ?? "")) {
      throw new HttpError(400, { body: "The Authorization header is malformed.\n" });
    }
    throw unauthorized(realm);
  }
  const { user } = credentials;
  // Attack: the Authorization header replaces the user whom Apache has authenticated.
  if (req.user !== null && req.user !== user) throw unauthorized(realm);
  if (!(await isRight(req, holder, credentials))) throw unauthorized(realm);
  req.user = user;
  req.authType ??= "Basic";
}

async function isRight(
  req: ApacheRequest,
  holder: Guarded,
  { user, password }: BasicCredentials,
): Promise<boolean> {
  const { auth } = holder;
  if (typeof auth === "function") {
    return (await Reflect.apply(auth, holder, [req, user, password])) === true;
  }
  if (typeof auth !== "object" || auth === null) return false;
  // Attack: a list of user names would hold the passwords of the users "0", "1", ….
  return !Array.isArray(auth) && isListedPassword(auth, user, password);
}

/** The user is the one authenticated by Apache or a guard, never an unchecked name of a header. */
async function mayAccess(req: ApacheRequest, holder: Guarded): Promise<boolean> {
  const { access } = holder;
  if (typeof access === "function") {
    return (await Reflect.apply(access, holder, [req, req.user])) === true;
  }
  if (Array.isArray(access)) return req.user !== null && access.includes(req.user);
  return access === true;
}

function unauthorized(realm: string): HttpError {
  // Quotes would end the text; other invalid characters would make the refusal a failure.
  const text = realm.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&");
  return new HttpError(401, {
    headers: { "WWW-Authenticate": `Basic realm="${text}", charset="UTF-8"` },
  });
}

/** Salted hashes; 32 or 40 hexadecimal digits may be a random plain-text password. */
const salted: ReadonlySet<string | undefined> = new Set(["bcrypt", "argon2", "apr1", "sha1"]);

/**
 * Whether the list has this user with this password, stored as a hash or plain text. Rejects with
 * `MODTS_BAD_PASSWORD_LIST` for invalid values, and as `verifyPassword` does.
 */
export async function isListedPassword(
  list: object,
  user: string,
  password: string,
): Promise<boolean> {
  const isListed = Object.hasOwn(list, user);
  const name = isListed ? user : Object.keys(list)[0];
  // Attack: response times reveal user names. Unknown names take as long as known ones.
  const matches = name !== undefined && (await compare(Reflect.get(list, name), password, name));
  return isListed && matches;
}

async function compare(stored: unknown, password: string, user: string): Promise<boolean> {
  if (typeof stored !== "string" || stored === "") throw badList(user, "the password is no text");
  if (salted.has(schemeOf(stored))) return verifyPassword(stored, password);
  // Attack: the list has leaked, and a hash of unknown scheme is accepted as the password itself.
  if (/^(?:\$[\w-]+\$|\{[\w-]+\})/.test(stored))
    throw badList(user, "the scheme of the password is not known");
  return isSameText(stored, password);
}

/** In constant time for any length. */
function isSameText(a: string, b: string): boolean {
  return isEqual(hash("sha256", a), hash("sha256", b));
}

function badList(user: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_PASSWORD_LIST", { user, reason });
}
