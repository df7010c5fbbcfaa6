/**
 * The cookie that holds the id of a session.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { CookieAttributes } from "../request/set-cookie.ts";
import { isSessionId } from "./session-id.ts";
import type { SessionSettings } from "./session-settings.ts";

/** A neighbouring host may have planted cookies of the same name beside ours; each costs a question to the store. */
const mostIds = 4;

/** The cookie of one session in one request. */
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

  /** Ids that the browser sent and that can be ours. */
  ids(): string[] {
    return this.#req.cookies.getAll(this.name).filter(isSessionId).slice(0, mostIds);
  }

  /** Throws `MODTS_HEADERS_SENT` when {@link set} would. */
  requireTime(): void {
    if (this.#req.headersSent) throw new ModTsError("MODTS_HEADERS_SENT", { name: "Set-Cookie" });
  }

  /** Throws `MODTS_HEADERS_SENT`. */
  set(id: string): void {
    this.#req.setCookie(this.name, id, this.#attributes());
  }

  /** Has the browser forget the id; where the headers have left, it keeps one that is worth nothing. */
  clear(): void {
    if (!this.#req.headersSent) this.#req.clearCookie(this.name, this.#attributes());
  }

  #attributes(): CookieAttributes {
    const { path, domain, sameSite } = this.#settings;
    const attributes = { path, sameSite, httpOnly: true, secure: this.#secure };
    return domain === undefined ? attributes : { ...attributes, domain };
  }

  /** Attack: a neighbouring host, or whoever answers over plain HTTP, sets the cookie of a session of his own. Browsers let none set this one. */
  #fullName(): string {
    const { name, path, domain } = this.#settings;
    if (!this.#secure || path !== "/" || domain !== undefined || name.startsWith("__")) return name;
    return `__Host-${name}`;
  }
}
