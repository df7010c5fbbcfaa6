/** Session ids, and their cookie. */
import { hash, randomBytes } from "node:crypto";
import { setBounded } from "../base/cache.ts";
import { ModTsError } from "../base/errors.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { CookieAttributes } from "../request/cookies/set-cookie.ts";
import type { SessionSettings } from "./session-settings.ts";

/** Attack: a neighboring host sets many cookies of this name; each is a query to the store. */
const maxIds = 4;

export class SessionCookie {
  readonly name: string;
  readonly #req: ApacheRequest;
  readonly #settings: SessionSettings;
  readonly #secure: boolean;

  constructor(req: ApacheRequest, settings: SessionSettings) {
    this.#req = req;
    this.#settings = settings;
    this.#secure = settings.secure ?? req.isHttps();
    this.name = this.#fullName();
  }

  /** Plausible ids sent by the browser. */
  ids(): string[] {
    return this.#req.cookies.getAll(this.name).filter(isSessionId).slice(0, maxIds);
  }

  /** Throws `MODTS_HEADERS_SENT` if {@link set} would. */
  requireTime(): void {
    if (this.#req.headersSent) throw new ModTsError("MODTS_HEADERS_SENT", { name: "Set-Cookie" });
  }

  /** Throws `MODTS_HEADERS_SENT`. */
  set(id: string): void {
    this.#req.setCookie(this.name, id, this.#attributes());
  }

  /** Removes the cookie; after the headers were sent, the browser keeps a worthless id. */
  clear(): void {
    if (!this.#req.headersSent) this.#req.clearCookie(this.name, this.#attributes());
  }

  #attributes(): CookieAttributes {
    const { path, domain, sameSite } = this.#settings;
    const attributes = { path, sameSite, httpOnly: true, secure: this.#secure };
    return domain === undefined ? attributes : { ...attributes, domain };
  }

  /** Attack: a neighboring host, or a plain HTTP response, sets this cookie. Browsers refuse. */
  #fullName(): string {
    const { name, path, domain } = this.#settings;
    if (!this.#secure || path !== "/" || domain !== undefined || name.startsWith("__")) return name;
    return `__Host-${name}`;
  }
}

/** 256 random bits in base64url: 43 characters. */
export function newSessionId(): string {
  return randomBytes(32).toString("base64url");
}

/** Attack: paths, SQL or foreign keys as ids. Implausible ids never reach a store. */
export function isSessionId(text: string): boolean {
  // The last character holds four bits: two of its six are zero.
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text);
}

/**
 * Hash of an id, stored instead of it: readers of the store cannot take over sessions. Attack:
 * without the realm, an administrator of one site uses a session made there on another site with
 * the same store; or a request sends one id in two cookies and waits for itself.
 */
export function storeKey(id: string, realm: string): string {
  const text = `${realm}\n${id}`;
  const known = keys.get(text);
  if (known !== undefined) return known;
  const key = hash("sha256", text, "base64url");
  setBounded(keys, text, key, maxKeys);
  return key;
}

const keys = new Map<string, string>();
/** A hash costs more than the rest of the cookie. */
const maxKeys = 1000;
