/**
 * `auth`, `access` and `realm` of published modules, objects and functions. They fail closed: only `true` lets a request pass.
 * @module
 */
import { HttpError } from "../http-error.ts";
import type { ApacheRequest } from "../request/request.ts";
import { type BasicCredentials, parseBasicAuth } from "../request/basic-auth.ts";
import { isListedPassword } from "./passwords.ts";

/** What an author may have written; none of it is certain. */
interface Guarded {
  readonly auth?: unknown;
  readonly access?: unknown;
  readonly realm?: unknown;
}

/**
 * Asks every guard on the way, from the outside in, and stops at the first that refuses: `HttpError` 401 for credentials, 403
 * for a user. What a guard throws goes on to the caller, so the request does not pass either.
 */
export async function checkGuards(req: ApacheRequest, guarded: readonly object[]): Promise<void> {
  let realm = "unknown";
  for (const holder of guarded as readonly Guarded[]) {
    if (typeof holder.realm === "string") ({ realm } = holder);
    // A guard that is there but undefined is one that went wrong, not one that is missing.
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
  // Attack: whom Apache has established already is replaced by whoever the header names.
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
  // Attack: a mere list of names would take a name for the password of the user "0".
  return !Array.isArray(auth) && isListedPassword(auth, user, password);
}

/** The user is the one that Apache or a guard has established: a name in a header that nobody checked is not asked about. */
async function mayAccess(req: ApacheRequest, holder: Guarded): Promise<boolean> {
  const { access } = holder;
  if (typeof access === "function") {
    return (await Reflect.apply(access, holder, [req, req.user])) === true;
  }
  if (Array.isArray(access)) return req.user !== null && access.includes(req.user);
  return access === true;
}

function unauthorized(realm: string): HttpError {
  // Quotes would end the text, and what else a header may not hold would make the refusal a failure.
  const text = realm.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&");
  return new HttpError(401, {
    headers: { "WWW-Authenticate": `Basic realm="${text}", charset="UTF-8"` },
  });
}
