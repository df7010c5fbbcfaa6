/**
 * Tickets: how a call back proves to Apache that it is one, and what it tells the worker that it may lead to.
 *
 * `kind;depth;sealed;mac`, as in "The call back" of `apache-conf/mod_ts.conf`. Apache checks the mac, with what its expressions can do. What is
 * sealed is for ourselves: encrypted and authenticated, as Apache hands it to CGI programs in an environment variable.
 * @module
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { ModTsError } from "../errors.ts";
import type { Passage, PreviousRequest } from "../request/exchange.ts";
import { deriveKey } from "../secret.ts";

/** What Apache will see of the call: the mac holds for nothing else. */
export interface Call {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly path: string;
  readonly remoteAddress: string;
  /** `http` or `https`: that of the virtual host. */
  readonly scheme: string;
}

/** Bytes of a sealed text. A field of a request may have 8190 in Apache (LimitRequestFieldSize). */
const sealedBytes = 6000;

/** Writes and reads the tickets of one installation. */
export class Tickets {
  readonly #secret: string;
  readonly #key: Buffer;

  /** @param secret shared with Apache */
  constructor(secret: string) {
    this.#secret = secret;
    this.#key = deriveKey(secret, "origin ticket");
  }

  /** The header for a call. Throws `MODTS_BAD_ARGUMENT` when the notes of `passage.previous` are too long. */
  issue({ kind, depth, previous }: Passage, call: Call): string {
    const head = `${kind};${depth};${previous ? this.#seal(previous) : ""}`;
    const { remoteAddress, scheme, method, path } = call;
    const request = `${remoteAddress} ${scheme} ${method} ${path} HTTP/1.1`;
    return `${head};${this.#mac(`${head} ${request}`)}`;
  }

  /** Reads what Apache took for a ticket, without its mac. Throws `MODTS_CONTEXT_INVALID`. */
  read(text: string): Passage {
    const [, kind, depth, sealed] = /^(pass|redirect);(\d{1,2});([\w-]*)$/.exec(text) ?? [];
    // Attack: without a secret anybody could seal a user of his choice, who may set a variable in .htaccess.
    if (kind === undefined || sealed === undefined || this.#secret === "") throw invalid();
    return {
      kind: kind as Passage["kind"],
      depth: Number(depth),
      previous: sealed === "" ? undefined : this.#open(sealed),
    };
  }

  /** HMAC would pad the keys; twice the key in front of SHA-1 is what an expression of httpd can write. */
  #mac(text: string): string {
    return sha1(this.#secret + sha1(this.#secret + text));
  }

  #seal(previous: PreviousRequest): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const parts = [nonce, cipher.update(JSON.stringify(previous)), cipher.final()];
    const sealed = Buffer.concat([...parts, cipher.getAuthTag()]).toString("base64url");
    if (sealed.length <= sealedBytes) return sealed;
    const reason = `path, user and notes are too long: ${sealed.length} bytes, the limit is ${sealedBytes}`;
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "internalRedirect", reason });
  }

  #open(sealed: string): PreviousRequest {
    const bytes = Buffer.from(sealed, "base64url");
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, 12), {
        authTagLength: 16,
      });
      decipher.setAuthTag(bytes.subarray(-16));
      const text = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
      return JSON.parse(text.toString()) as PreviousRequest;
    } catch {
      throw invalid();
    }
  }
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

function invalid(): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", { reason: "the ticket of a call back is wrong" });
}
