/**
 * From the parameters of an authorizer request to a `RequestContext` and the directives of the section.
 *
 * mod_authnz_fcgi sends Apache's whole environment of the request: the CGI variables, the client's headers as `HTTP_*`, and
 * what the macros of `apache-conf/mod_ts.conf` set under `MOD_TS_*`.
 * @module
 */
import type { Directives } from "../directives.ts";
import type { PhaseName } from "../handler.ts";
import { parseNotes } from "../notes.ts";
import type { Dictionary, RequestContext } from "../request/exchange.ts";
import type { Pairs } from "./params.ts";

/** Phases that may decide on, or prepare, a resource that Apache itself serves; each is a variable of the macros. */
const phaseVariables = {
  MOD_TS_ACCESS: "access",
  MOD_TS_AUTHEN: "authen",
  MOD_TS_AUTHZ: "authz",
  MOD_TS_TYPE: "type",
  MOD_TS_FIXUP: "fixup",
} as const satisfies Record<string, PhaseName>;

/** The context of one request that Apache asks about. */
export class AuthorizerContext implements RequestContext {
  readonly interpreter: string;
  readonly #directives: Pick<Directives, "options" | "debug">;
  readonly #params: ReadonlyMap<string, string>;

  constructor(
    params: ReadonlyMap<string, string>,
    directives: Pick<Directives, "options" | "debug">,
    interpreter: string,
  ) {
    this.#params = params;
    this.#directives = directives;
    this.interpreter = interpreter;
  }

  get method(): string {
    return this.#get("REQUEST_METHOD");
  }
  get requestLine(): string {
    return `${this.method} ${this.target} ${this.protocol}`;
  }
  get target(): string {
    return this.#get("REQUEST_URI");
  }
  get protocol(): string {
    return this.#get("SERVER_PROTOCOL");
  }
  get scheme(): string {
    return this.#get("REQUEST_SCHEME");
  }
  /** The path that Apache serves, which is not what the client wrote: no escapes, no `..`, no `//`. */
  get uri(): string {
    return this.#get("MOD_TS_URI");
  }
  get args(): string {
    return this.#get("QUERY_STRING");
  }
  get filename(): string {
    return this.#get("SCRIPT_FILENAME");
  }
  get pathInfo(): string {
    return this.#get("MOD_TS_PATH_INFO");
  }
  /** Apache looks for it after authentication. */
  get contentType(): string {
    return "";
  }
  get documentRoot(): string {
    return this.#get("DOCUMENT_ROOT");
  }
  get contextPrefix(): string {
    return this.#get("CONTEXT_PREFIX");
  }
  get contextDocumentRoot(): string {
    return this.#get("CONTEXT_DOCUMENT_ROOT");
  }
  /** With `AuthType Basic`, the name that the client gives: nobody has checked it yet, so it is no user. */
  get user(): string {
    return this.#params.has("REMOTE_PASSWD") ? "" : this.#get("REMOTE_USER");
  }
  get authType(): string {
    return this.#params.has("REMOTE_PASSWD") ? "Basic" : this.#get("AUTH_TYPE");
  }
  get serverName(): string {
    return this.#get("SERVER_NAME");
  }
  get serverPort(): number {
    return Number(this.#get("SERVER_PORT"));
  }
  get serverAdmin(): string {
    return this.#get("SERVER_ADMIN");
  }
  get serverSoftware(): string {
    return this.#get("SERVER_SOFTWARE");
  }
  get remoteAddress(): string {
    return this.#get("REMOTE_ADDR");
  }
  get remotePort(): number {
    return Number(this.#get("REMOTE_PORT"));
  }
  get connectionAddress(): string {
    return this.#get("REMOTE_ADDR");
  }
  get uniqueId(): string {
    return this.#get("UNIQUE_ID");
  }
  get rawHeaders(): readonly string[] {
    return readHeaders(this.#params);
  }
  get options(): Dictionary {
    return this.#directives.options;
  }
  get debug(): boolean {
    return this.#directives.debug;
  }
  get environment(): Dictionary {
    return readEnvironment(this.#params);
  }
  /** When rights are asked for, what was noted while the user was established is there. */
  get notes(): Dictionary {
    return parseNotes(asksRights(this.#params) ? this.#get("MOD_TS_NOTES") : "");
  }

  #get(name: string): string {
    return this.#params.get(name) ?? "";
  }
}

/**
 * The directive lines that the section has, in the form that `parseDirectives` reads.
 *
 * Apache asks in three ways. `TsAskAuthorizer`: who is it, and may he; all phases run, and Apache takes our word for the user.
 * `Require mod_ts`: a user is known, may he; authz alone. `AuthBasicProvider mod_ts`: is the password right; authen alone, since an
 * OK of any other phase would make the name that the client gave a user. Where the content is ours, type and fixup
 * handlers run with it.
 */
export function directiveLines(params: Pairs): string[] {
  const lines: string[] = [];
  const names = new Map(params);
  const only = onlyPhase(names);
  const isOurs = Boolean(names.get("MOD_TS_CONTENT"));
  for (const [name, value] of params) {
    if (isPhaseVariable(name)) {
      const phase = phaseVariables[name];
      if (only && phase !== only) continue;
      if (isOurs && (phase === "type" || phase === "fixup")) continue;
      lines.push(`${phase} ${value}`);
    } else if (name === "MOD_TS_DEBUG") lines.push(`debug ${value}`);
    else if (name === "MOD_TS_OPTIONS") lines.push(...readOptions(value));
  }
  return lines;
}

function onlyPhase(params: ReadonlyMap<string, string>): PhaseName | undefined {
  if (asksRights(params)) return "authz";
  return params.get("MOD_TS_ASK") ? undefined : "authen";
}

function asksRights(params: ReadonlyMap<string, string>): boolean {
  return params.get("FCGI_APACHE_ROLE") === "AUTHORIZER";
}

/** Each option stands after a tab. */
function readOptions(value: string): string[] {
  return value
    .split("\t")
    .filter(Boolean)
    .map((option) => `option ${option}`);
}

function isPhaseVariable(name: string): name is keyof typeof phaseVariables {
  return Object.hasOwn(phaseVariables, name);
}

/** `HTTP_ACCEPT_LANGUAGE` was `Accept-Language`: Apache drops names with other characters than letters, digits and `-`. */
function readHeaders(params: ReadonlyMap<string, string>): string[] {
  const headers: string[] = [];
  for (const [name, value] of params) {
    // Apache itself forces this one to "close".
    if (!name.startsWith("HTTP_") || name === "HTTP_CONNECTION") continue;
    headers.push(headerName(name.slice("HTTP_".length)), value);
  }
  if (params.has("CONTENT_TYPE")) headers.push("Content-Type", params.get("CONTENT_TYPE") ?? "");
  const password = params.get("REMOTE_PASSWD");
  if (password === undefined || params.has("HTTP_AUTHORIZATION")) return headers;
  // Apache has taken the Authorization header apart; handlers look for it where they always do.
  const credentials = Buffer.from(`${params.get("REMOTE_USER") ?? ""}:${password}`);
  return [...headers, "Authorization", `Basic ${credentials.toString("base64")}`];
}

function headerName(variable: string): string {
  return variable
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_, start: string, letter: string) => {
      return (start && "-") + letter.toUpperCase();
    })
    .replaceAll("_", "-");
}

/**
 * What is left: the environment that Apache would give a CGI script, without passwords and our own variables.
 *
 * Attack: with `AuthType Basic`, a client's `Authorization` puts any name into `REMOTE_USER` before its password is checked.
 */
function readEnvironment(params: ReadonlyMap<string, string>): Dictionary {
  const environment: Record<string, string> = Object.create(null);
  const isUnchecked = params.has("REMOTE_PASSWD");
  for (const [name, value] of params) {
    if (/^(?:HTTP_|MOD_TS_|FCGI_|REMOTE_PASSWD$|PATH$)/.test(name)) continue;
    if (isUnchecked && name === "REMOTE_USER") continue;
    environment[name] = value;
  }
  return environment;
}
