/** Sessions of the login form: signed cookies and form tokens. */
import { randomBytes } from "node:crypto";
import { TokenSigner, isEqual } from "../../../base/crypto.ts";

export interface LoginSession {
  readonly user: string;
  /** 32 hexadecimal digits; stays the same while the session is renewed. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly issued: number;
  /** Seconds since 1970; moves on with use, up to the longest life from `issued` on. */
  readonly expires: number;
  /** Of the password hash. */
  readonly mark: string;
}

/** How long sessions last, in seconds. */
export interface SessionLife {
  /** From the last use on. */
  readonly idle: number;
  /** From the login on. */
  readonly total: number;
}

export class LoginSessions {
  readonly #signer: TokenSigner;
  readonly #marks: TokenSigner;
  readonly #life: SessionLife;
  readonly #now: () => number;

  /** @param realm Attack: a session of another site or table of users, which has the same name. */
  constructor(
    master: string,
    realm: string,
    { life, now = Date.now }: { life: SessionLife; now?: () => number },
  ) {
    this.#signer = new TokenSigner(master, `session ${realm}`);
    this.#marks = new TokenSigner(master, `mark ${realm}`);
    this.#life = life;
    this.#now = now;
  }

  /** A new session; `hash` is that of the user's password. */
  begin(user: string, hash: string): LoginSession {
    const now = this.#seconds();
    const id = randomBytes(16).toString("hex");
    return {
      user,
      id,
      issued: now,
      expires: now + Math.min(this.#life.idle, this.#life.total),
      mark: this.#marks.mac(hash),
    };
  }

  format(session: LoginSession): string {
    const { user, id, issued, expires, mark } = session;
    return this.#signer.write([user, id, issued, expires, mark]);
  }

  /** The session of a cookie that we signed and that has not expired; else undefined. */
  read(cookie: string): LoginSession | undefined {
    const payload = this.#signer.read(cookie);
    if (!Array.isArray(payload)) return undefined;
    const [user, id, issued, expires, mark] = payload as [string, string, number, number, string];
    const now = this.#seconds();
    // The configuration may have become stricter since.
    if (now >= expires || now >= issued + this.#life.total) return undefined;
    return { user, id, issued, expires, mark };
  }

  /** Whether the password hash is still the one of the login. */
  fits(session: LoginSession, hash: string): boolean {
    return isEqual(session.mark, this.#marks.mac(hash));
  }

  /** With a later end, once a tenth of its life has passed: not every response needs a cookie. */
  renew(session: LoginSession): LoginSession | undefined {
    const now = this.#seconds();
    const expires = Math.min(now + this.#life.idle, session.issued + this.#life.total);
    return expires - session.expires > this.#life.idle / 10 ? { ...session, expires } : undefined;
  }

  /** End of a session however often it is used, seconds since 1970. */
  lastMoment(session: LoginSession): number {
    return session.issued + this.#life.total;
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }
}

/** Seconds for which a page may lie open before it is sent. */
const life = 3600 * 12;

export class FormTokens {
  readonly #signer: TokenSigner;
  readonly #now: () => number;

  constructor(master: string, realm: string, now: () => number = Date.now) {
    this.#signer = new TokenSigner(master, `form ${realm}`);
    this.#now = now;
  }

  /** A token for the browser that holds `id` in a cookie. */
  make(id: string): string {
    return this.#signer.write([id, Math.floor(this.#now() / 1000)]);
  }

  /** Whether the token was made for this id, and not too long ago. */
  isGood(token: string, id: string): boolean {
    const payload = this.#signer.read(token);
    if (!Array.isArray(payload)) return false;
    const [owner, made] = payload as [string, number];
    return isEqual(owner, id) && this.#now() / 1000 - made < life;
  }
}
