/**
 * Ids of sessions.
 * @module
 */
import { hash, randomBytes } from "node:crypto";

/** 256 random bits in base64url: 43 characters. */
export function newSessionId(): string {
  return randomBytes(32).toString("base64url");
}

/** Whether a text can be one of ours. What cannot never reaches a store: no path, no SQL, no key of somebody else's. */
export function isSessionId(text: string): boolean {
  // The last character holds four bits: two of its six are zero.
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text);
}

/**
 * What a store knows of an id: who reads the store cannot take over sessions with it.
 * @param realm Attack: a session that somebody made for himself on one site, where he is the administrator, is shown to another one that
 * uses the same store; or one request sends the same id in two cookies, and waits for itself.
 */
export function storeKey(id: string, realm: string): string {
  return hash("sha256", `${realm}\n${id}`, "base64url");
}
