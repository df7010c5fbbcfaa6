/**
 * May this peer ask for a decision, and by which policy is it made?
 *
 * Attacks:
 * 1. An attacker reaches the port without Apache, to guess passwords or to learn a policy, or
 *    asks with a policy or a file of their own. Apache seals all of it with the secret, which it
 *    never sends.
 * 2. A sub-request (directory index, listing, server-side include) brings the variables of its main
 *    request: Apache sets them for the main request only. The seal holds for one file. Any other one
 *    is judged by the grant that the decision about the main request left in `MOD_TS_PASSED`;
 *    with `TsBind` in `mod_ts.conf`, Apache takes the answer only where the section of that file has
 *    no other policy.
 * 3. A repeated parameter, of which two readers use different values.
 */
import { hash } from "node:crypto";
import { createSealCheck, isRecent, TokenSealer } from "../base/crypto.ts";
import { invalidContext, ModTsError } from "../base/errors.ts";
import { decodeBytes, type Params, spellings } from "../request/headers.ts";
import type { Pairs } from "./fastcgi.ts";

export interface AccessQuestion {
  readonly params: Params;
  /** Lines of `TsPolicy`: handlers, options and flags of all sections, outer ones first. */
  readonly policy: readonly string[];
  /** Decoded path of the resource. */
  readonly uri: string;
  readonly pathInfo: string;
  /** Of the client, or of the main request. */
  readonly requestLine: string;
  /** What the main request was granted; absent for the main request itself. */
  readonly grant?: Grant;
  /** See `Asked` of `answer.ts`. */
  readonly seal: string;
  /** The policy as Apache wrote it, with a seal; absent for a sub-request. */
  readonly sealedPolicy?: Buffer;
  /** Time of the request as Apache tells it; absent for a sub-request. */
  readonly time?: string;
}

/** What a decision about a main request permits its sub-requests. */
interface Grant {
  /** Absent where all of this would be longer than Apache reads: sub-requests are refused then. */
  readonly policy?: string | undefined;
  /** Digests of the lines that were judged, and of the user. */
  readonly judged: readonly string[];
  /** See {@link AccessQuestion}. */
  readonly seal: string;
  /** Decoded path and file of the main request. */
  readonly uri: string;
  readonly file: string;
  readonly requestLine: string;
  /** Client and virtual host. */
  readonly peer: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** Returns what is asked, or throws for a question that must not be decided. */
export type TrustCheck = (pairs: Pairs) => AccessQuestion;

/** Returns what a ticket says by the path that Apache has found, see `tickets.ts`. */
type TicketReader = (path: string) => string | undefined;

/** @param secret shared with Apache; empty: the loopback address alone decides */
export function createTrustCheck(
  secret: string,
  grants: Grants = new Grants(secret),
  readTicket: TicketReader = () => undefined,
): TrustCheck {
  const checkSeal = createSealCheck(secret, "authorizer");
  return (pairs) => {
    const params = new Map(pairs);
    if (params.size !== pairs.length) throw invalidContext("a parameter is repeated");
    const { policy, sealed, mac } = splitSeal(params.get("MOD_TS_POLICY") ?? "");
    const passed = params.get("MOD_TS_PASSED");
    const ticket = params.get("MOD_TS_TICKET");
    if (ticket && !passed) {
      const granted = readTicket(ticket);
      if (granted === undefined) throw invalidContext("the ticket is over");
      const time = timeOfTicket(ticket, params);
      return { ...questionBy(grants.readTicket(granted, params), grants, params), time };
    }
    const main = mac === undefined ? undefined : readSealed(sealed);
    const isSubRequest = main?.file !== params.get("SCRIPT_FILENAME");
    // A sub-request has another method and query than those of the seal.
    if (mac !== undefined && main && !(isSubRequest && passed)) {
      const encoding = checkSeal(`${sealed} ${decisiveParams(params)}${policy}`, mac);
      // Apache looks up the path info of the request in question, and ignores the answer.
      if (isSubRequest) throw new ModTsError("MODTS_SUBREQUEST_UNDECIDED");
      const before = passed ? grants.read(passed, params) : undefined;
      return {
        params,
        policy: linesOf(policy),
        sealedPolicy: Buffer.from(policy, encoding),
        seal: mac,
        ...main,
        ...(before && { grant: before }),
      };
    }
    if (!passed) throw new ModTsError("MODTS_CONTEXT_MISSING", "MOD_TS_POLICY is empty");
    return questionBy(grants.read(passed, params), grants, params);
  };
}

function questionBy(grant: Grant, grants: Grants, params: Params): AccessQuestion {
  const { policy, requestLine, seal } = grant;
  if (policy === undefined)
    throw invalidContext("the policy is too long for a grant to sub-requests");
  const uri = grants.uriOf(grant, params);
  return { params, policy: linesOf(policy), uri, pathInfo: "", requestLine, seal, grant };
}

/** The time of a request that a ticket lets through, of which Apache makes no seal. */
function timeOfTicket(ticket: string, params: Params): string {
  const [path, time = ""] = splitLast(params.get(sealVariable) ?? "");
  if (path !== ticket || !isRecent(time))
    throw invalidContext("the ticket is that of another request");
  return time;
}

function splitLast(text: string): [string, string] {
  const at = text.lastIndexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Attack: an answer that is not ours sets variables. A name with a colon cannot be set by a header line. */
const sealVariable = "MOD_TS:SEAL";

interface Sealed {
  readonly time: string;
  readonly file: string;
  readonly uri: string;
  readonly pathInfo: string;
  readonly requestLine: string;
}

/** `TsSeal` of `mod_ts.conf` writes the last line. */
function splitSeal(text: string): { policy: string; sealed: string; mac: string | undefined } {
  const [, policy = text, sealed = "", mac] =
    /^([^]*)\nseal (t=\d{16}(?: [\w+/=]*){4}) ([0-9a-f]{40})$/.exec(text) ?? [];
  return { policy, sealed, mac };
}

/**
 * On these a decision may depend; the seal covers them as it covers the policy. Attack: the end of one
 * is sent as the start of the next, such as the first line of the policy as part of the query.
 */
function decisiveParams(params: Params): string {
  const names = ["REQUEST_METHOD", "REQUEST_SCHEME", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT"];
  const text = [...names, "QUERY_STRING"].map((name) => params.get(name) ?? "").join(" ");
  if (/^(?:[^ \n]* ){5}[^\n]*$/.test(text)) return text;
  throw invalidContext("a parameter contains a space or a line break");
}

function readSealed(sealed: string): Sealed {
  const [time = "", ...fields] = sealed.split(" ");
  if (!isRecent(time)) throw invalidContext(`Apache's time ${time} is not the current time`);
  const [requestLine = "", uri = "", pathInfo = "", file = ""] = fields.map(decode);
  return { time, requestLine, uri, pathInfo, file };
}

/** Each line has a line feed before it. */
function linesOf(policy: string): string[] {
  const lines = policy.replace(/^\n/, "").split("\n");
  if (lines.length > 1 && lines.includes("")) throw invalidContext("a line of the policy is empty");
  return lines.filter(Boolean);
}

function decode(field: string): string {
  return decodeBytes(Buffer.from(field, "base64"));
}

interface TicketGrant {
  readonly policy: string;
  readonly judged: readonly string[];
  readonly visitor: string;
}

/** Milliseconds for which a grant is good: that of a page that takes its time to include others. */
const lifetime = 600_000;

/** Bytes. Apache reads a header line of 8 KB. */
const maxLength = 8_000;

/** Variables that a passed request gets in Apache. */
export interface Passed {
  /** The value of `MOD_TS_PASSED`, for our own next question. */
  readonly grant: string;
  /** The value of `MOD_TS_JUDGED`: digests of all lines that passed, and of the user, for `TsBind`. */
  readonly judged: string;
}

/** Writes and reads the grants of one installation, encrypted, as CGI programs of the request see them. */
export class Grants {
  readonly #sealer: TokenSealer;
  readonly #tickets: TokenSealer;

  /** @param secret shared by all workers */
  constructor(secret: string) {
    this.#sealer = new TokenSealer(secret, "grant");
    this.#tickets = new TokenSealer(secret, "ticket");
  }

  /** After `judged` lines have passed for this user; empty: without a user. */
  write(question: AccessQuestion, judged: readonly string[], user: string): Passed {
    const { params, grant, policy, uri, requestLine, seal } = question;
    const users = spellings(user).map((name) =>
      digest(Buffer.concat([Buffer.from("user "), name])),
    );
    const all = new Set([...(grant?.judged ?? []), ...judged.map(digest), ...users]);
    const next: Grant = {
      policy: grant?.policy ?? policy.join("\n"),
      judged: [...all],
      seal,
      uri: grant?.uri ?? uri,
      file: grant?.file ?? params.get("SCRIPT_FILENAME") ?? "",
      requestLine,
      peer: peerOf(params),
      time: grant?.time ?? Date.now(),
    };
    const write = (what: Grant): Passed => ({
      grant: this.#sealer.write(what),
      judged: what.judged.join(","),
    });
    const passed = write(next);
    if (passed.grant.length <= maxLength) return passed;
    return write({ ...next, policy: undefined, uri: "", file: "", requestLine: "" });
  }

  /** @throws ModTsError `MODTS_CONTEXT_INVALID` for one that is not ours, too old, or of another client */
  read(text: string, params: Params): Grant {
    const grant = this.#sealer.read(text) as Grant | undefined;
    if (!grant) throw invalidContext("the grant of the main request was changed");
    if (Date.now() - grant.time > lifetime)
      throw invalidContext("the grant of the main request is old");
    if (grant.peer !== peerOf(params)) throw invalidContext("the grant is that of another client");
    return grant;
  }

  /** The grant that a ticket carries, for the sub-requests of all requests that it lets through. */
  writeTicket({ params, policy }: AccessQuestion, judged: readonly string[]): string {
    const what: TicketGrant = {
      policy: policy.join("\n"),
      judged: judged.map(digest),
      visitor: visitorOf(params),
    };
    return this.#tickets.write(what);
  }

  /** @throws ModTsError `MODTS_CONTEXT_INVALID` for one that is not ours, or of another client */
  readTicket(text: string, params: Params): Grant {
    const ticket = this.#tickets.read(text) as TicketGrant | undefined;
    if (!ticket) throw invalidContext("the ticket was changed");
    if (ticket.visitor !== visitorOf(params))
      throw invalidContext("the ticket is that of another client");
    const get = (name: string): string => params.get(name) ?? "";
    const requestLine = ["REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL"].map(get).join(" ");
    const { policy, judged } = ticket;
    return {
      policy,
      judged,
      seal: params.get(sealVariable) ?? "",
      uri: "",
      file: "",
      requestLine,
      peer: peerOf(params),
      time: Date.now(),
    };
  }

  /**
   * Decoded path of a sub-request, of which Apache sends the file only: beside or below the file of the main request,
   * else below the directory of an Alias or the document root.
   * @throws ModTsError `MODTS_CONTEXT_INVALID` when the file is in neither
   */
  uriOf(grant: Grant, params: Params): string {
    const file = params.get("SCRIPT_FILENAME") ?? "";
    const get = (name: string): string => params.get(name) ?? "";
    const places = [
      [directoryOf(grant.file), directoryOf(grant.uri)],
      [`${get("CONTEXT_DOCUMENT_ROOT")}/`, `${get("CONTEXT_PREFIX")}/`],
      [`${get("DOCUMENT_ROOT")}/`, "/"],
    ] as const;
    const place = places.find(([directory]) => directory.length > 1 && file.startsWith(directory));
    if (!place) throw invalidContext(`no address is known for the file ${file} of a sub-request`);
    const [directory, address] = place;
    return address.replace(/\/+$/, "/") + file.slice(directory.length);
  }
}

/** As `sha1()` of an expression. */
function digest(line: string | Buffer): string {
  return hash("sha1", line);
}

function peerOf(params: Params): string {
  return `${params.get("REMOTE_PORT") ?? ""} ${visitorOf(params)}`;
}

/** Without SERVER_PORT: it is what Host says, and 80 in a sub-request of `<VirtualHost *>`. */
function visitorOf(params: Params): string {
  const names = ["REMOTE_ADDR", "SERVER_NAME"];
  return names.map((name) => params.get(name) ?? "").join(" ");
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
