/**
 * Tokens that show a form came from a page of ours: signed, short-lived, bound to a cookie of this browser.
 *
 * Attack: a page of somebody else sends our form from the visitor's browser, to log him out, or in under the attacker's name.
 * @module
 */
import { isEqual, TokenSigner } from "../signed-token.ts";

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
    return this.#signer.sign([id, Math.floor(this.#now() / 1000)]);
  }

  /** Whether the token was made for this id, and not too long ago. */
  isGood(token: string, id: string): boolean {
    const payload = this.#signer.read(token);
    if (!Array.isArray(payload)) return false;
    const [owner, made] = payload as [string, number];
    return isEqual(owner, id) && this.#now() / 1000 - made < life;
  }
}
