/**
 * Callback tokens: proof for Apache that a request is a callback, and its context for the worker.
 *
 * `kind;depth;sealed;judged;fields;mac`, as in "Callbacks" of `apache-conf/mod_ts.conf`. Apache checks the
 * mac, with what its expressions can do. The sealed part is for ourselves: encrypted and
 * authenticated, as Apache hands it to CGI programs in an environment variable.
 */
import { createSeal, TokenSealer } from "../base/crypto.ts";
import { badArgument, invalidContext, ModTsError } from "../base/errors.ts";
import { formatDigests, formatFields } from "./changes.ts";
import type { CallbackInfo, PreviousRequest } from "../request/exchange.ts";

/** The callback as Apache will see it: the mac holds for nothing else. */
export interface Call {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly path: string;
  readonly remoteAddress: string;
  readonly scheme: string;
}

/** What handlers have decided about the resource that a callback asks for. */
export interface CallDecision {
  /** Digests of the lines that were judged, each with the path; see `digest`. */
  readonly judged: readonly string[];
  /** See `changesOf`. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Limit of a token, in bytes. A header field may have 8190 in Apache (LimitRequestFieldSize). */
const tokenBytes = 8000;

/** Limit of a sealed text. A header field may have 8190 bytes in Apache (LimitRequestFieldSize). */
const sealedBytes = 6000;

export class CallbackTokens {
  readonly #hasSecret: boolean;
  readonly #mac: (text: string) => string;
  readonly #sealer: TokenSealer;

  constructor(secret: string) {
    this.#hasSecret = secret !== "";
    this.#mac = createSeal(secret, "callback");
    this.#sealer = new TokenSealer(secret, "callback token");
  }

  /**
   * The header for a callback.
   * @throws ModTsError `MODTS_BAD_ARGUMENT` for too long notes of `previous`, `MODTS_DECISION_TOO_LONG`
   */
  issue({ kind, depth, previous }: CallbackInfo, call: Call, decision?: CallDecision): string {
    const sealed = previous ? this.#seal(previous) : "";
    const head = [kind, depth, sealed, ...(decision ? formatDecision(decision) : [])].join(";");
    if (head.length > tokenBytes) {
      throw new ModTsError("MODTS_DECISION_TOO_LONG", { bytes: head.length, limit: tokenBytes });
    }
    const { remoteAddress, scheme, method, path } = call;
    const request = `${remoteAddress} ${scheme} ${method} ${path} HTTP/1.1`;
    return `${head};${this.#mac(`${head} ${request}`)}`;
  }

  /** Reads a token whose mac Apache has checked and removed. Throws `MODTS_CONTEXT_INVALID`. */
  read(text: string): CallbackInfo {
    const [, kind, depth, sealed] = /^(pass|redirect);(\d{1,2});([\w-]*)(?:;|$)/.exec(text) ?? [];
    // Attack: without a secret, anyone who may set a variable in .htaccess could seal a user of
    // their choice.
    if (kind === undefined || sealed === undefined || !this.#hasSecret)
      throw invalidContext("invalid callback token");
    return {
      kind: kind as CallbackInfo["kind"],
      depth: Number(depth),
      previous: sealed === "" ? undefined : this.#open(sealed),
    };
  }

  #seal(previous: PreviousRequest): string {
    const sealed = this.#sealer.write(previous);
    if (sealed.length <= sealedBytes) return sealed;
    throw badArgument(
      "internalRedirect",
      `path, user and notes are too long: ${sealed.length} bytes, the limit is ${sealedBytes}`,
    );
  }

  #open(sealed: string): PreviousRequest {
    const previous = this.#sealer.read(sealed);
    if (previous === undefined) throw invalidContext("invalid callback token");
    return previous as PreviousRequest;
  }
}

function formatDecision({ judged, fields }: CallDecision): string[] {
  return [formatDigests(judged), ...formatFields(fields)];
}
