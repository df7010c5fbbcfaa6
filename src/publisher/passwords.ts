/**
 * Passwords that an author wrote into a published module: `export const auth = { ann: "$2y$…" }`.
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { schemeOf, verifyPassword } from "../credentials/password-hash.ts";
import { ModTsError } from "../errors.ts";

/** Hashes with a salt; 32 or 40 hexadecimal digits are a password of somebody who likes random ones. */
const salted: ReadonlySet<string | undefined> = new Set(["bcrypt", "argon2", "apr1", "sha1"]);

/**
 * Whether the list has this user with this password, which stands there as a hash or as it is.
 * Rejects with `MODTS_BAD_PASSWORD_LIST` for a value that is neither, and as `verifyPassword` does.
 */
export async function isListedPassword(
  list: object,
  user: string,
  password: string,
): Promise<boolean> {
  const isListed = Object.hasOwn(list, user);
  const name = isListed ? user : Object.keys(list)[0];
  // A name that is not there takes as long as one that is, or the time would tell which names there are.
  const isRight = name !== undefined && (await compare(Reflect.get(list, name), password, name));
  return isListed && isRight;
}

async function compare(stored: unknown, password: string, user: string): Promise<boolean> {
  if (typeof stored !== "string" || stored === "") throw badList(user, "the password is no text");
  if (salted.has(schemeOf(stored))) return verifyPassword(stored, password);
  // Attack: the list has leaked, and a hash of a scheme that is not known here would be taken as a password itself.
  if (/^(?:\$[\w-]+\$|\{[\w-]+\})/.test(stored))
    throw badList(user, "the scheme of the password is not known");
  return isEqual(stored, password);
}

/** In constant time whatever the lengths are. */
function isEqual(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function badList(user: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_PASSWORD_LIST", { user, reason });
}
