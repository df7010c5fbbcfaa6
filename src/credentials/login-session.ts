/**
 * Sessions of the login form: a signed cookie that names the user, and when it ends.
 *
 * It also holds a mark of the user's password hash: a changed password or a removed user ends every session at once.
 * @module
 */
import { randomBytes } from "node:crypto";
import { isEqual, TokenSigner } from "../signed-token.ts";

/** A user who is logged in. */
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

/** Makes and reads the sessions of one login page. */
export class LoginSessions {
  readonly #signer: TokenSigner;
  readonly #marks: TokenSigner;
  readonly #life: SessionLife;
  readonly #now: () => number;

  /**
   * @param realm what the session is good for. Attack: a session of one site, or of another table of users that has the same name
   * in it, is shown to this one.
   */
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

  /** The value of the cookie. */
  format(session: LoginSession): string {
    const { user, id, issued, expires, mark } = session;
    return this.#signer.sign([user, id, issued, expires, mark]);
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

  /** The session with a later end, once a tenth of its life has passed; else undefined: not every answer needs a cookie. */
  renew(session: LoginSession): LoginSession | undefined {
    const now = this.#seconds();
    const expires = Math.min(now + this.#life.idle, session.issued + this.#life.total);
    return expires - session.expires > this.#life.idle / 10 ? { ...session, expires } : undefined;
  }

  /** When a session is over however often it is used, seconds since 1970. */
  lastMoment(session: LoginSession): number {
    return session.issued + this.#life.total;
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }
}
