/**
 * Conversion of the headers set by `apache-conf/mod_ts.conf` to a {@link RequestContext}.
 *
 * Everything is in one header: a client that gets it removed loses all of it, and is rejected.
 * Values with arbitrary bytes are base64, decoded on first use.
 */
import type { Directives } from "./directives.ts";
import { setBounded } from "../base/cache.ts";
import { isRecent } from "../base/crypto.ts";
import { invalidContext, ModTsError } from "../base/errors.ts";
import { emptyDictionary } from "../base/options.ts";
import { decodeBytes, decodeHeader, parseNotes } from "../request/headers.ts";
import type {
  CallbackInfo,
  DecidedPhases,
  Dictionary,
  RequestContext,
} from "../request/exchange.ts";

/** Fields of `Mod-Ts-Context` in the order in which the macro `TsWriteContext` writes them. */
const fieldNames = [
  "seal",
  "version",
  "time",
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
  "callback",
  "status",
  "previousNotes",
  "isSubRequest",
] as const;

type FieldName = (typeof fieldNames)[number];

export const fieldIndex = Object.fromEntries(
  fieldNames.map((name, index) => [name, index]),
) as Readonly<Record<FieldName, number>>;

/** Another number of fields was not written by our configuration. */
export const fieldCount: number = fieldNames.length;

export interface LocationFacts {
  readonly directives: Pick<Directives, "options" | "debug"> & Partial<Pick<Directives, "decided">>;
  readonly interpreter: string;
  readonly callback?: CallbackInfo | undefined;
}

/** The context of one request; fields are decoded on first use, as most handlers need few. */
export class ApacheContext implements RequestContext {
  readonly method: string;
  readonly #raw: readonly string[];
  readonly #facts: LocationFacts;
  readonly #fields: readonly string[];
  readonly #environmentLines: readonly string[];

  constructor(method: string, headers: SplitHeaders, facts: LocationFacts) {
    this.method = method;
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
  /** After an internal redirect the previous user is kept unless the new section authenticates. */
  get user(): string {
    const user = this.#decoded("user");
    // "-" stands for no user, see `DefaultUser` in `mod_ts.conf`.
    return (user === "-" ? "" : user) || this.callback?.previous?.user || "";
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
    const before = this.callback?.previous?.notes;
    return before ? Object.assign(Object.create(null), before, notes) : notes;
  }
  get callback(): CallbackInfo | undefined {
    return this.#facts.callback;
  }
  get decided(): DecidedPhases | undefined {
    return this.#facts.directives.decided;
  }
  get environment(): Dictionary {
    const status = this.#plain("status");
    const isSubRequest = this.#plain("isSubRequest") === "true";
    if (this.#environmentLines.length === 0 && status === "" && !isSubRequest) {
      return emptyDictionary;
    }
    const variables = parseEnvironment(this.#environmentLines);
    if (status !== "") variables["MOD_TS_STATUS"] = status;
    const notes = status === "" ? "" : this.#decoded("previousNotes");
    if (notes !== "") variables["MOD_TS_PREVIOUS_NOTES"] = notes;
    if (isSubRequest) variables["MOD_TS_SUBREQUEST"] = "1";
    return variables;
  }

  #plain(name: FieldName): string {
    return this.#fields[fieldIndex[name]] ?? "";
  }

  #decoded(name: FieldName): string {
    const field = this.#plain(name);
    return field === "" ? "" : decodeBase64(field);
  }
}

/** The headers of a request, split into ours and the client's. */
export interface SplitHeaders {
  /** Fields of `Mod-Ts-Context`; empty when the header is missing. */
  readonly fields: readonly string[];
  /** The text covered by the seal, which is the first field. */
  readonly sealed: string;
  readonly directives: readonly string[];
  readonly environment: readonly string[];
  /** All headers as they came, names and values alternating. */
  readonly raw: readonly string[];
}

/** @throws ModTsError `MODTS_CONTEXT_INVALID` for two contexts: one of them is forged */
export function splitHeaders(raw: readonly string[]): SplitHeaders {
  let directives: readonly string[] = none;
  let environment: readonly string[] = none;
  let context: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = ownName(raw[index] as string);
    if (name === undefined) continue;
    const value = raw[index + 1] as string;
    if (name === "mod-ts-config") directives = concat(directives, linesOf(value));
    else if (name === "mod-ts-env") environment = concat(environment, value.split(", "));
    else if (name !== "mod-ts-context") continue;
    else if (context !== undefined) throw invalidContext("the header is there twice");
    else context = value;
  }
  const fields = context?.split(";") ?? [];
  const sealed = context?.slice(context.indexOf(";") + 1) ?? "";
  return { fields, sealed, directives, environment, raw };
}

/**
 * @param checkSeal that of the transport
 * @param count number of fields that `apache-conf/mod_ts.conf` sends to it
 * @throws ModTsError `MODTS_CONTEXT_MISSING`, `MODTS_CONTEXT_INVALID`, `MODTS_SECRET_WRONG`
 */
export function requireContext(
  { fields, sealed }: SplitHeaders,
  checkSeal: ((sealed: string, seal: string | undefined) => unknown) | undefined,
  count: number,
): void {
  if (fields.length === 0) {
    throw new ModTsError("MODTS_CONTEXT_MISSING", "there is no Mod-Ts-Context");
  }
  const version = fields[fieldIndex.version];
  if (version !== "2") throw invalidContext(`version ${version}`);
  if (fields.length !== count) {
    throw invalidContext(`${fields.length} fields instead of ${count}`);
  }
  const seal = fields[fieldIndex.seal];
  if (!checkSeal) {
    if (seal !== "") throw new ModTsError("MODTS_SECRET_WRONG");
    return;
  }
  checkSeal(sealed, seal);
  const time = fields[fieldIndex.time] ?? "";
  if (!isRecent(time)) throw invalidContext(`Apache's time ${time} is not the current time`);
}

const none: readonly string[] = [];

/** Mostly one of the two is empty. */
function concat(before: readonly string[], more: readonly string[]): readonly string[] {
  return before.length === 0 ? more : [...before, ...more];
}

/** Lines by header, which is the same for all requests of a section. */
const knownLines = new Map<string, readonly string[]>();
const maxKnownLines = 1000;

function linesOf(value: string): readonly string[] {
  const known = knownLines.get(value);
  if (known) return known;
  const lines = splitLines(value);
  setBounded(knownLines, value, lines, maxKnownLines);
  return lines;
}

/**
 * Lines of `Mod-Ts-Config`: each begins with a tab, and httpd joins them with a comma. No argument
 * of a macro holds a tab.
 */
export function splitLines(value: string): string[] {
  // Node.js has removed the first tab.
  return value.replace(/^\t/, "").split(", \t").map(decodeHeader);
}

/** The client's headers: without ours, and without those of the connection from Apache. */
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

/** Headers named by `Connection` end at this hop (RFC 9110, section 7.6.1), if Apache left them. */
function withoutNames(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, index) => {
    const name = headers[index - (index % 2)] as string;
    return !names.includes(name.toLowerCase());
  });
}

export function targetOf(requestLine: string): string {
  const start = requestLine.indexOf(" ") + 1;
  const end = requestLine.lastIndexOf(" ");
  return end >= start ? requestLine.slice(start, end) : requestLine.slice(start);
}

export function decodeBase64(field: string): string {
  return decodeBytes(Buffer.from(field, "base64"));
}

function isHopByHop(name: string): boolean {
  return name === "Connection" || name === "Keep-Alive" || name === "Transfer-Encoding";
}

/** The name of a header of ours in lower case; free in the spelling of our configuration. */
function ownName(name: string): string | undefined {
  if (!startsWithM(name)) return undefined;
  if (name === "Mod-Ts-Config") return "mod-ts-config";
  if (name === "Mod-Ts-Context") return "mod-ts-context";
  return isOurs(name) ? name.toLowerCase() : undefined;
}

function isOurs(name: string): boolean {
  return startsWithM(name) && /^mod-ts-/i.test(name);
}

function startsWithM(name: string): boolean {
  return (name.charCodeAt(0) | 0x20) === 0x6d;
}

function parseEnvironment(lines: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const equals = line.indexOf("=");
    if (equals > 0) variables[line.slice(0, equals)] = decodeBase64(line.slice(equals + 1));
  }
  return variables;
}
