/**
 * Proofs that an answer is the sidecar's, which Apache verifies by `TsRequireProof` of `mod_ts.conf`.
 *
 * Attack: while nothing listens on the port, any local user can listen there and let everybody in. What
 * Apache has sent them, and answers that they have seen before, are of no use: a MAC holds for one
 * request and one file.
 */
import { createSeal } from "../base/crypto.ts";

/** What tells the request of a question from all others. */
export interface Asked {
  /** `MOD_TS:SEAL` of Apache: the MAC of the question, or a ticket with the time of the request. */
  readonly seal: string;
  readonly file: string;
}

export class Proofs {
  readonly #mac: (text: string | Buffer) => string;

  /** @param secret shared with Apache; without one, anybody can write a proof */
  constructor(secret: string) {
    this.#mac = createSeal(secret, "answer");
  }

  /** The value of `MOD_TS_PROOF`: digests of `MOD_TS_JUDGED` passed in this request, and for this file. */
  passed({ seal, file }: Asked, judged: string): string {
    const inRequest = this.#mac(`judged ${seal} ${judged}`);
    return [inRequest, this.#forEach("passed ", file, ` ${seal} ${judged}`)].join(",");
  }

  /** The value of `Mod-Ts-Declined`: that the decision is left to other Require lines. */
  declined({ seal, file }: Asked, lines: readonly string[]): string {
    return lines.map((line) => this.#forEach(`declined ${seal} `, file, ` ${line}`)).join(",");
  }

  /** The value of `Mod-Ts-Proof`: that the sidecar has answered in a request of this time. */
  answered(time: string): string {
    return this.#mac(`answered ${time}`);
  }

  #forEach(before: string, file: string, after: string): string {
    const macs = spellings(file).map((bytes) =>
      this.#mac(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])),
    );
    return macs.join(",");
  }
}

/** Bytes of Apache that may have been read as this text: UTF-8, or else a character each. */
export function spellings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  if (!/[\x80-\xff]/.test(text) || /[^\x00-\xff]/.test(text)) return [bytes];
  return [bytes, Buffer.from(text, "latin1")];
}
