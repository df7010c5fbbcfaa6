/**
 * What Apache asks about, from the parameters of an authorizer request: a `RequestContext`, and the
 * directives of the section.
 *
 * mod_authnz_fcgi sends Apache's whole environment of the request: the CGI variables, the client's
 * headers as `HTTP_*`, and what the macros of `apache-conf/mod_ts.conf` set under `MOD_TS_*`.
 */
import type { Directives } from "../engine/directives.ts";
import type { PhaseName } from "../engine/handler.ts";
import type { Dictionary, RequestContext } from "../request/exchange.ts";
import { headersFrom, type Params, parseNotes } from "../request/headers.ts";
import type { ApacheRequest } from "../request/request.ts";
import { canonicalHost, requestedHost } from "../request/requested-url.ts";
import { decodePath, parseUri } from "../request/uri.ts";
import type { AccessQuestion } from "./trust.ts";

export function createContext(
  question: AccessQuestion,
  { options, debug }: Pick<Directives, "options" | "debug">,
  interpreter: string,
): RequestContext {
  const { params, uri, pathInfo, requestLine } = question;
  const get = (name: string): string => params.get(name) ?? "";
  // With `AuthType Basic`, the name is only the client's claim so far.
  const isUnchecked = params.has("REMOTE_PASSWD");
  const user = get("REMOTE_USER");
  return {
    method: get("REQUEST_METHOD"),
    requestLine,
    target: isSubRequest(question) ? escapePath(uri) : get("REQUEST_URI"),
    protocol: get("SERVER_PROTOCOL"),
    scheme: get("REQUEST_SCHEME"),
    // As Apache serves it, without escapes, `..` and `//` of the client.
    uri,
    args: get("QUERY_STRING"),
    filename: get("SCRIPT_FILENAME"),
    pathInfo,
    // Apache looks for it after authentication.
    contentType: "",
    documentRoot: get("DOCUMENT_ROOT"),
    contextPrefix: get("CONTEXT_PREFIX"),
    contextDocumentRoot: get("CONTEXT_DOCUMENT_ROOT"),
    // "-" stands for no user, see `DefaultUser` in `mod_ts.conf`.
    user: isUnchecked || user === "-" ? "" : user,
    authType: isUnchecked ? "Basic" : get("AUTH_TYPE"),
    serverName: get("SERVER_NAME"),
    serverPort: Number(get("SERVER_PORT")),
    serverAdmin: get("SERVER_ADMIN"),
    serverSoftware: get("SERVER_SOFTWARE"),
    remoteAddress: get("REMOTE_ADDR"),
    remotePort: Number(get("REMOTE_PORT")),
    connectionAddress: get("REMOTE_ADDR"),
    uniqueId: get("UNIQUE_ID"),
    rawHeaders: readHeaders(params),
    options,
    debug,
    interpreter,
    environment: readEnvironment(params),
    // What was noted while the user was established.
    notes: parseNotes(isAuthorization(params) ? get("MOD_TS_NOTES") : ""),
  };
}

/** Whether the section was chosen for another file. */
function isSubRequest({ grant, uri }: AccessQuestion): boolean {
  return grant !== undefined && grant.uri !== uri;
}

/** Phases that decide on, or prepare, a resource that Apache itself serves. */
const phases: ReadonlySet<string> = new Set(["access", "authen", "authz", "type", "fixup"]);

/** What is asked of a policy, in the form that `parseDirectives` reads. */
interface SelectedPolicy {
  readonly lines: readonly string[];
  /** Those of {@link lines} that name handlers: an OK passes them. */
  readonly judged: readonly string[];
}

/**
 * Selects the lines of a policy that this question is about.
 *
 * Apache asks in three ways. `TsAskAuthorizer`: authentication and authorization; all phases run, and
 * Apache takes the user from the answer. `Require mod_ts`: a user is known; authz only.
 * `AuthBasicProvider mod_ts`: is the password right; authen only, since an OK of any other phase
 * would make the name that the client gave a user. Where the content is ours, type and fixup handlers
 * run with it.
 */
export function selectPolicy({ policy, params }: AccessQuestion): SelectedPolicy {
  const only = onlyPhase(policy, params);
  const isContentOurs = policy.includes("content");
  const lines = policy.flatMap((line) => {
    const kind = line.slice(0, line.indexOf(" "));
    if (kind === "option") return [readFormat(line)];
    if (kind === "debug") return [line];
    if (!phases.has(kind) || (only && kind !== only)) return [];
    return isContentOurs && (kind === "type" || kind === "fixup") ? [] : [line];
  });
  return { lines, judged: lines.filter((line) => !/^(?:option|debug) /.test(line)) };
}

/** An option as mod_headers passes it to content handlers, so that a guard reads the same. */
function readFormat(line: string): string {
  return line.replaceAll(/%%|\\[\\nrt]/g, (escape) => escapes[escape] ?? escape);
}

const escapes: Readonly<Record<string, string>> = {
  "%%": "%",
  "\\\\": "\\",
  "\\n": "\n",
  "\\r": "\r",
  "\\t": "\t",
};

function onlyPhase(policy: readonly string[], params: Params): PhaseName | undefined {
  if (isAuthorization(params)) return "authz";
  return policy.includes("ask") ? undefined : "authen";
}

/** Whether the user is known, and only `Require mod_ts` asks. */
export function isAuthorization(params: Params): boolean {
  return params.get("FCGI_APACHE_ROLE") === "AUTHORIZER";
}

/** Whether `Require mod_ts_reset` asks, which only sets the status of the response. */
export function isReset(params: Params): boolean {
  return isAuthorization(params) && Boolean(params.get("SERVER_SIGNATURE"));
}

/** That of a response that may pass: the status which an ErrorDocument is for, else 200. */
export function pageStatus(params: Params): number {
  return Number(/^[45]\d\d$/.exec(params.get("MOD_TS_STATUS") ?? "")?.[0] ?? 200);
}

/**
 * Without those that Apache itself sets: `Connection: close`, and the time of the request, see
 * "Trust" in `mod_ts.conf`.
 */
function readHeaders(params: Params): string[] {
  const raw = headersFrom(params);
  const headers = raw.filter((_, index) => !ofApache.test(raw[index & ~1] as string));
  const password = params.get("REMOTE_PASSWD");
  if (password === undefined || params.has("HTTP_AUTHORIZATION")) return headers;
  // Apache has taken the Authorization header apart; handlers look for it where they always do.
  const credentials = Buffer.from(`${params.get("REMOTE_USER") ?? ""}:${password}`);
  return [...headers, "Authorization", `Basic ${credentials.toString("base64")}`];
}

const ofApache = /^(?:Connection|Mod-Ts-Context)$/;

/**
 * The environment that Apache would give a CGI script, without headers, passwords and our own
 * variables.
 *
 * Attack: with `AuthType Basic`, a client's `Authorization` puts any name into `REMOTE_USER` before
 * its password is checked.
 */
function readEnvironment(params: Params): Dictionary {
  const environment: Record<string, string> = Object.create(null);
  const isUnchecked = params.has("REMOTE_PASSWD");
  for (const [name, value] of params) {
    if (notHandlers.test(name)) continue;
    if (isUnchecked && name === "REMOTE_USER") continue;
    environment[name] = value;
  }
  return environment;
}

/** Also of the request before a redirect inside Apache. */
const notHandlers = /^(?:REDIRECT_)*(?:HTTP_|MOD_TS[_:]|FCGI_|REMOTE_PASSWD$|PATH$)/;

/** RFC 3986, section 3.3: what a path may hold unescaped. */
function escapePath(path: string): string {
  return encodeURI(path.toWellFormed()).replaceAll(/[?#]/g, encodeURIComponent);
}

/**
 * The same question about the second path of COPY and MOVE: undefined for other methods, null if
 * the path cannot be mapped.
 *
 * Attack: a policy by path lets a user write into their own collection, and `Destination` names that
 * of another user. mod_dav looks it up by a sub-request, which Apache does not check if it lies in
 * the same section. So the policy judges both paths.
 */
export function destinationOf(
  question: AccessQuestion,
  req: ApacheRequest,
): AccessQuestion | undefined | null {
  const { params, policy, requestLine, seal } = question;
  if (req.method !== "COPY" && req.method !== "MOVE") return undefined;
  // A sub-request has the headers of its main request, which has been judged.
  if (isSubRequest(question)) return undefined;
  // mod_dav falls back to the second one.
  const sent = req.headersIn.get("destination") ?? req.headersIn.get("new-uri");
  if (sent === undefined) return undefined;
  const path = pathOn(req, sent);
  const file = path === undefined ? undefined : fileOf(params, path);
  if (path === undefined || file === undefined) return null;
  const asked = new Map(params);
  asked.set("SCRIPT_FILENAME", file).set("REQUEST_URI", encodeURI(path.toWellFormed()));
  asked.delete("QUERY_STRING");
  return { params: asked, policy, uri: path, pathInfo: "", requestLine, seal };
}

/** The decoded path, if it is on this host and means the same whatever Apache makes of slashes. */
function pathOn(req: ApacheRequest, sent: string): string | undefined {
  const { scheme, hostinfo, path } = parseUri(sent);
  const isHere =
    hostinfo === null || canonicalHost(hostinfo, scheme ?? "") === requestedHost(req).host;
  const isClear = /^\/(?!.*(?:%(?:2f|00|5c)|\/\/|\\))/is.test(path ?? "");
  return isHere && isClear ? decodePath(path ?? "") : undefined;
}

/** As `Alias` of this request or the document root has it. */
function fileOf(params: Params, path: string): string | undefined {
  const prefix = params.get("CONTEXT_PREFIX") ?? "";
  const root = params.get("CONTEXT_DOCUMENT_ROOT") || params.get("DOCUMENT_ROOT");
  if (!root || !path.startsWith(`${prefix}/`)) return undefined;
  return root.replace(/\/$/, "") + path.slice(prefix.length);
}
