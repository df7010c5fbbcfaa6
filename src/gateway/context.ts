/**
 * From the headers that `apache-conf/mod_ts.conf` sets to a {@link RequestContext}.
 *
 * Apache writes everything it knows into one header, so that a client that gets one header removed gets all of them
 * removed, and is refused. Values that can hold odd bytes travel in base64; they are decoded when somebody asks.
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Directives } from "../directives.ts";
import { ModTsError } from "../errors.ts";
import { parseNotes } from "../notes.ts";
import type { Dictionary, Passage, RequestContext } from "../request/exchange.ts";

/** Fields of `Mod-Ts-Context` in the order in which the macro `TsTellHandler` writes them. */
const fieldNames = [
  "version",
  "secret",
  "scheme",
  "serverPort",
  "remoteAddress",
  "remotePort",
  "connectionAddress",
  "uniqueId",
  "protocol",
  "requestLine",
  "filename",
  "pathInfo",
  "uri",
  "args",
  "user",
  "authType",
  "serverName",
  "documentRoot",
  "contentType",
  "connection",
  "contextPrefix",
  "contextDocumentRoot",
  "serverAdmin",
  "serverSoftware",
  "notes",
  "passage",
] as const;

type FieldName = (typeof fieldNames)[number];

/** Where the field stands in the header. */
export const fieldIndex = Object.fromEntries(
  fieldNames.map((name, index) => [name, index]),
) as Readonly<Record<FieldName, number>>;

/** The number of fields; a header with any other number was not written by our configuration. */
export const fieldCount: number = fieldNames.length;

const empty: Dictionary = Object.freeze(Object.create(null));

/** What the context of a request takes from the location and from the process. */
export interface LocationFacts {
  readonly directives: Pick<Directives, "options" | "debug">;
  readonly interpreter: string;
  /** How a call back of ours led here. */
  readonly passage?: Passage | undefined;
}

/** The context of one request; fields are decoded at first use, as most handlers need few of them. */
export class GatewayContext implements RequestContext {
  readonly method: string;
  readonly #raw: readonly string[];
  readonly #facts: LocationFacts;
  readonly #fields: readonly string[];
  readonly #environmentLines: readonly string[];

  constructor(message: IncomingMessage, headers: SplitHeaders, facts: LocationFacts) {
    this.method = message.method ?? "GET";
    this.#raw = headers.raw;
    this.#fields = headers.fields;
    this.#environmentLines = headers.environment;
    this.#facts = facts;
  }

  get rawHeaders(): readonly string[] {
    return clientHeaders(this.#raw);
  }
  get options(): Dictionary {
    return this.#facts.directives.options;
  }
  get debug(): boolean {
    return this.#facts.directives.debug;
  }
  get interpreter(): string {
    return this.#facts.interpreter;
  }
  get scheme(): string {
    return this.#plain("scheme");
  }
  get serverPort(): number {
    return Number(this.#plain("serverPort"));
  }
  get remoteAddress(): string {
    return this.#plain("remoteAddress");
  }
  get remotePort(): number {
    return Number(this.#plain("remotePort"));
  }
  get connectionAddress(): string {
    return this.#plain("connectionAddress");
  }
  get uniqueId(): string {
    return this.#plain("uniqueId");
  }
  get protocol(): string {
    return this.#plain("protocol");
  }
  get requestLine(): string {
    return this.#decoded("requestLine");
  }
  get target(): string {
    return targetOf(this.requestLine);
  }
  get filename(): string {
    return this.#decoded("filename");
  }
  get pathInfo(): string {
    return this.#decoded("pathInfo");
  }
  get uri(): string {
    return this.#decoded("uri");
  }
  get args(): string {
    return this.#decoded("args");
  }
  /** Whom a redirect brings along is the user where the new section asks for none. */
  get user(): string {
    return this.#decoded("user") || this.passage?.previous?.user || "";
  }
  get authType(): string {
    return this.#decoded("authType");
  }
  get serverName(): string {
    return this.#decoded("serverName");
  }
  get documentRoot(): string {
    return this.#decoded("documentRoot");
  }
  get contentType(): string {
    return this.#decoded("contentType");
  }
  get contextPrefix(): string {
    return this.#decoded("contextPrefix");
  }
  get contextDocumentRoot(): string {
    return this.#decoded("contextDocumentRoot");
  }
  get serverAdmin(): string {
    return this.#decoded("serverAdmin");
  }
  get serverSoftware(): string {
    return this.#decoded("serverSoftware");
  }
  get notes(): Dictionary {
    const notes = parseNotes(this.#decoded("notes"));
    const before = this.passage?.previous?.notes;
    return before ? Object.assign(Object.create(null), before, notes) : notes;
  }
  get passage(): Passage | undefined {
    return this.#facts.passage;
  }
  get environment(): Dictionary {
    return this.#environmentLines.length === 0 ? empty : parseEnvironment(this.#environmentLines);
  }

  #plain(name: FieldName): string {
    return this.#fields[fieldIndex[name]] ?? "";
  }

  #decoded(name: FieldName): string {
    const field = this.#plain(name);
    return field === "" ? "" : decodeBase64(field);
  }
}

/** The headers of a request, ours and the client's apart. */
export interface SplitHeaders {
  /** Fields of `Mod-Ts-Context`; empty when the header is missing. */
  readonly fields: readonly string[];
  /** Values of `Mod-Ts-Config`, in order. */
  readonly directives: readonly string[];
  /** Values of `Mod-Ts-Env`, in order. */
  readonly environment: readonly string[];
  /** All headers as they came, names and values alternating. */
  readonly raw: readonly string[];
}

/**
 * Takes our headers out of the raw ones.
 * @throws ModTsError `MODTS_CONTEXT_INVALID` when the context stands there twice: one of the two is forged
 */
export function splitHeaders(raw: readonly string[]): SplitHeaders {
  const directives: string[] = [];
  const environment: string[] = [];
  let context: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = ownName(raw[index] as string);
    if (name === undefined) continue;
    const value = raw[index + 1] as string;
    if (name === "mod-ts-config") directives.push(decodeHeader(value));
    else if (name === "mod-ts-env") environment.push(value);
    else if (name !== "mod-ts-context") continue;
    else if (context !== undefined) throw invalid("it stands there twice");
    else context = value;
  }
  return { fields: context?.split(";") ?? [], directives, environment, raw };
}

/** The headers that the client sent: ours left out, and those that speak of the connection between Apache and us. */
export function clientHeaders(raw: readonly string[]): string[] {
  const client: string[] = [];
  let named: readonly string[] | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    if (name === "Connection" && !/^(?:keep-alive|close|upgrade)$/i.test(value)) {
      named = value.toLowerCase().split(/[\s,]+/);
    }
    if (!isOurs(name) && !isHopByHop(name)) client.push(name, value);
  }
  return named ? withoutNames(client, named) : client;
}

/** What `Connection` names ends at this hop (RFC 9110, section 7.6.1). Apache has removed it already; another peer may not have. */
function withoutNames(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, index) => {
    const name = headers[index - (index % 2)] as string;
    return !names.includes(name.toLowerCase());
  });
}

/** The path of the request line, escapes and query included. */
export function targetOf(requestLine: string): string {
  const start = requestLine.indexOf(" ") + 1;
  const end = requestLine.lastIndexOf(" ");
  return end >= start ? requestLine.slice(start, end) : requestLine.slice(start);
}

/** UTF-8 where the bytes are valid UTF-8, else one character a byte. Two spellings of one name in two encodings read the same. */
export function decodeBase64(field: string): string {
  return decodeBytes(Buffer.from(field, "base64"));
}

/** A header as Node gives it, one character a byte, with the same meaning as {@link decodeBase64} gives to bytes. */
function decodeHeader(value: string): string {
  return /[^\x00-\x7f]/.test(value) ? decodeBytes(Buffer.from(value, "latin1")) : value;
}

function decodeBytes(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? bytes.toString("latin1") : text;
}

/** `Connection` and `Keep-Alive` speak of the connection between Apache and us, not of the client's. */
function isHopByHop(name: string): boolean {
  return name === "Connection" || name === "Keep-Alive" || name === "Transfer-Encoding";
}

/** The name of a header of ours in lower case, in which it is compared. Spelled as our configuration does, it costs nothing. */
function ownName(name: string): string | undefined {
  if (name === "Mod-Ts-Config") return "mod-ts-config";
  if (name === "Mod-Ts-Context") return "mod-ts-context";
  return isOurs(name) ? name.toLowerCase() : undefined;
}

function isOurs(name: string): boolean {
  return (name.charCodeAt(0) | 0x20) === 0x6d && /^mod-ts-/i.test(name);
}

function parseEnvironment(lines: readonly string[]): Dictionary {
  const variables: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const equals = line.indexOf("=");
    if (equals > 0) variables[line.slice(0, equals)] = decodeBase64(line.slice(equals + 1));
  }
  return variables;
}

function invalid(reason: string): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", { reason });
}
