/**
 * Decisions: what Apache does after an answer of the decider, in the response header `Server`, in
 * whose place it always sends its own.
 *
 * `mac;1;path;depth;judged;name=value…`, as in "TsDecided" of `apache-conf/mod_ts.conf`. Attack: a
 * CGI program that redirects inside Apache sends such a header of its own. The MAC holds for one
 * path, request line and client. Apache joins the headers of all redirects; the last one counts.
 */
import { createSeal, isEqual } from "../base/crypto.ts";
import { ModTsError } from "../base/errors.ts";
import { formatDigests, formatFields } from "../engine/changes.ts";

/** What a decision is about; both sides must mean the same. */
export interface Subject {
  /** The path as Apache will have it, decoded. */
  readonly path: Buffer;
  readonly requestLine: Buffer;
  readonly remoteAddress: string;
  readonly remotePort: string;
}

export interface Decision {
  /** Number of questions that led here, from 1. */
  readonly depth: number;
  /** Digests of the lines that were judged for this path; see `digest`. */
  readonly judged: readonly string[];
  /** `type`, `handler`, `user`, `env.NAME`, `in.Name`, and `sent` for ourselves. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Bytes. Apache reads 8,191 of a line. */
const maxLength = 8_000;

/** Writes and reads the decisions of one installation. */
export class Decisions {
  readonly #mac: (text: Buffer) => string;

  /** @param secret shared with Apache; without one, whoever sets response headers can write them */
  constructor(secret: string) {
    this.#mac = createSeal(secret, "decision");
  }

  /** The value of the header. Throws `MODTS_DECISION_TOO_LONG`. */
  write({ depth, judged, fields }: Decision, subject: Subject): string {
    const path = subject.path.toString("base64");
    const named = formatFields(fields);
    const text = ["1", path, depth, formatDigests(judged), ...named].join(";");
    if (text.length > maxLength) {
      throw new ModTsError("MODTS_DECISION_TOO_LONG", { bytes: text.length, limit: maxLength });
    }
    return `${this.#macOf(text, subject)};${text}`;
  }

  /** The decision, if it is ours and about this request line and client, for whatever path. */
  read(header: string, subject: Omit<Subject, "path">): (Decision & { path: Buffer }) | undefined {
    const [, mac, text = ""] = /(?:^| )([0-9a-f]{40});(1;[^ ]*)$/.exec(header) ?? [];
    if (mac === undefined) return undefined;
    const [, encoded = "", depth, judged = "", ...named] = text.split(";");
    const path = Buffer.from(encoded, "base64");
    if (!isEqual(mac, this.#macOf(text, { ...subject, path }))) return undefined;
    const fields = new Map(
      named.map((field) => {
        const at = field.indexOf("=");
        return [field.slice(0, at), Buffer.from(field.slice(at + 1), "base64").toString()] as const;
      }),
    );
    return { depth: Number(depth), judged: judged.split(",").filter(Boolean), fields, path };
  }

  #macOf(text: string, { path, requestLine, remoteAddress, remotePort }: Subject): string {
    const client = ` ${remoteAddress} ${remotePort}`;
    return this.#mac(
      Buffer.concat([
        Buffer.from(`${text} `),
        path,
        Buffer.from(" "),
        requestLine,
        Buffer.from(client),
      ]),
    );
  }
}
