/**
 * `mod_ts/forward-auth`: access decisions of a login service, as with Traefik's ForwardAuth, Caddy's
 * `forward_auth` and nginx's `auth_request`.
 *
 * ```
 * client ──> Apache ──> mod_ts/forward-auth ── GET url, X-Forwarded-*, Cookie, Authorization ──> service
 *                                           <── 2xx + identity headers: passes, with user and groups
 *                                           <── 3xx, 401, 403, 429 …: the same for the client
 *                                           <── 5xx, timeout, invalid: 502 or 503, never a pass
 * ```
 */
import { askService, type Service, type ServiceAnswer, shown } from "./ask-service.ts";
import { ModTsError } from "../../base/errors.ts";
import { type Dictionary, oncePerSection, SectionOptions } from "../../base/options.ts";
import { HttpError } from "../../base/http-error.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { decodeHeader, encodeHeader, HeaderTable } from "../../request/headers.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { type RequestedUrl, requestedUrl } from "../../request/requested-url.ts";

interface Convention {
  /** Response headers with the name of the user; the first one present counts. */
  readonly users: readonly string[];
  /** Response header and environment variable. */
  readonly variables: readonly (readonly [header: string, variable: string])[];
  readonly separator: string;
  /** `Host` of the question; by default that of the service's URL. */
  readonly askHost?: string | undefined;
  /** The service reads the client's address in `Remote-Addr` and `Remote-Port`. */
  readonly sendsConnection?: true;
}

/** Separators that can be named, since they are hard to write in an Apache configuration. */
const separators: Readonly<Record<string, string>> = { space: " ", quoted: '","' };

/** For `ask_host`: the host of the page, as nginx sends it. */
const pageHost = "page";

const remote = convention("Remote-User Remote-Groups Remote-Name Remote-Email");
const forwarded = convention(
  "X-Forwarded-User X-Forwarded-Groups X-Forwarded-Preferred-Username X-Forwarded-Email",
);

/** Every preset fills the same variables, so that applications need not know the service. */
const presets: Readonly<Record<string, Convention>> = {
  authelia: remote,
  "oauth2-proxy": convention(
    "X-Auth-Request-User X-Auth-Request-Groups X-Auth-Request-Preferred-Username X-Auth-Request-Email",
  ),
  authentik: {
    ...convention("X-authentik-username X-authentik-groups X-authentik-name X-authentik-email"),
    separator: "|",
  },
  // It compares the Host of the question with its domains, and quotes each group.
  vouch: {
    ...convention(
      "X-Vouch-User X-Vouch-IdP-Claims-Groups X-Vouch-IdP-Claims-Name X-Vouch-IdP-Claims-Email",
    ),
    separator: '","',
    askHost: pageHost,
  },
  tinyauth: remote,
  traefik: forwarded,
  "traefik-forward-auth": forwarded,
  lemonldap: { ...convention("Auth-User Auth-Groups Auth-Cn Auth-Mail"), separator: ";" },
  // The tailnet is the group: users of other tailnets may share a node.
  tailscale: {
    ...convention("Tailscale-User Tailscale-Tailnet Tailscale-Name Tailscale-User"),
    sendsConnection: true,
  },
};

interface Settings {
  readonly service: Service;
  readonly timeout: number;
  readonly convention: Convention;
  readonly login: URL | undefined;
  /** Configured values in place of Apache's scheme and the client's host. */
  readonly target: Partial<RequestedUrl>;
  readonly groups: readonly string[];
}

/** Passed on to the service. Attack: any other header could be an identity made up by the client. */
const passedOn = ["Cookie", "Authorization", "Accept", "X-Requested-With", "User-Agent"];

/** Headers of a refusal that reach the client; framing and messages to proxies do not. */
const shownOnDenial =
  "WWW-Authenticate Retry-After Cache-Control Content-Type Location X-Tinyauth-Location".split(" ");

/** Bytes of a refusal's page and of a header that Apache passes on. */
const pageLimit = 8_000;
const headerLimit = 8_150;

export interface ForwardAuth {
  /** Asks the service for the user. A pass without a user is 500. */
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  /** Asks the service for access; a user is optional. */
  accessHandler(req: ApacheRequest): Promise<Outcome>;
  /** Admits the groups in `mod_ts.forward-auth.groups`. Needs one of the other two beside it. */
  authzHandler(req: ApacheRequest): Outcome;
}

export function createForwardAuth(): ForwardAuth {
  const settingsOf = oncePerSection(readSettings);
  const ask = async (req: ApacheRequest): Promise<Outcome> => {
    const settings = settingsOf(req.getOptions());
    const asked = { settings, target: { ...requestedUrl(req), ...settings.target } };
    const { service, timeout } = settings;
    const answer = await askService({ ...service, timeout, headers: question(req, asked) });
    return judge(req, answer, asked);
  };
  return {
    authenHandler: ask,
    accessHandler: ask,
    authzHandler(req) {
      const { groups } = settingsOf(req.getOptions());
      if (groups.length === 0) {
        const options = new SectionOptions(req.getOptions(), "forward-auth");
        options.fail("groups", "missing; required by TsAuthzHandler mod_ts/forward-auth");
      }
      const own = (req.notes.get("groups") ?? "").split(",");
      return groups.some((group) => own.includes(group)) ? OK : 403;
    },
  };
}

function convention(headers: string): Convention {
  const [user = "", groups = "", name = "", email = ""] = headers.split(" ");
  const variables = [
    [groups, "REMOTE_GROUPS"],
    [name, "REMOTE_NAME"],
    [email, "REMOTE_EMAIL"],
  ] as const;
  return { users: [user], variables, separator: "," };
}

function readSettings(values: Dictionary): Settings {
  const options = new SectionOptions(values, "forward-auth");
  options.allowOnly(...optionNames);
  const scheme = options.text("scheme");
  if (scheme !== undefined && !/^https?$/.test(scheme)) {
    return options.fail("scheme", `expected http or https, not "${scheme}"`);
  }
  const host = options.text("host");
  return {
    service: readService(options),
    // Below the 5 s after which the authorizer itself gives up.
    timeout: options.number("timeout", 3000, [1, 4500]),
    convention: readConvention(options),
    login: readLogin(options),
    target: { ...(scheme !== undefined && { scheme }), ...(host !== undefined && { host }) },
    groups: options.names("groups"),
  };
}

const optionNames =
  "url timeout preset user headers groups_separator ask_host login host scheme groups".split(" ");

/** `http://…`, `https://…`, or `unix:/run/service.sock:/path`. */
function readService(options: SectionOptions): Service {
  const text = options.required("url", "e.g. http://127.0.0.1:9091/api/authz/forward-auth");
  const [, socketPath, path = "/"] = /^(?:http:\/\/)?unix:(\/[^:]+)(?::(\/.*))?$/.exec(text) ?? [];
  if (socketPath === undefined) return { url: options.url("url") as URL };
  const url = URL.parse(`http://localhost${path}`);
  return url ? { url, socketPath } : options.fail("url", "expected unix:/path/of/socket:/path");
}

function readConvention(options: SectionOptions): Convention {
  const preset = options.text("preset", "authelia") as string;
  const known = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
  if (!known) return options.fail("preset", `expected one of ${Object.keys(presets).join(", ")}`);
  const users = options.words("user");
  const separator = options.text("groups_separator", known.separator) as string;
  return {
    ...known,
    users: users.length > 0 ? users : known.users,
    variables: readMapping(options) ?? known.variables,
    separator: Object.hasOwn(separators, separator) ? (separators[separator] as string) : separator,
    askHost: options.text("ask_host", known.askHost),
  };
}

/** The escaped URL of the request is appended. */
function readLogin(options: SectionOptions): URL | undefined {
  const login = options.url("login");
  if (login && !login.href.endsWith("=")) options.fail("login", "must end with ?name= or &name=");
  return login;
}

/** `Remote-Groups=REMOTE_GROUPS X-Tenant=TENANT` */
function readMapping(options: SectionOptions): Convention["variables"] | undefined {
  const words = options.words("headers");
  if (words.length === 0) return undefined;
  return words.map((word) => {
    const [, header = "", variable = ""] = /^([\w-]+)=([A-Za-z_]\w*)$/.exec(word) ?? [];
    if (!header) options.fail("headers", `"${word}" is not of the form Header-Name=VARIABLE`);
    return [header, variable] as const;
  });
}

/** The headers that Traefik, Caddy and nginx send; every origin in them is Apache's. */
function question(req: ApacheRequest, { settings, target }: Question): Record<string, string> {
  const { scheme, host, uri } = target;
  const { askHost, sendsConnection } = settings.convention;
  const headers: Record<string, string> = {
    "X-Forwarded-Method": req.method,
    "X-Forwarded-Proto": scheme,
    "X-Forwarded-Host": host,
    "X-Forwarded-Uri": uri,
    "X-Forwarded-For": req.useragentIp,
    "X-Real-IP": req.useragentIp,
    "X-Original-Method": req.method,
    "X-Original-URL": `${scheme}://${host}${uri}`,
    "Accept-Encoding": "identity",
  };
  if (askHost !== undefined) headers["Host"] = askHost === pageHost ? host : askHost;
  if (sendsConnection) {
    headers["Remote-Addr"] = req.useragentIp;
    headers["Remote-Port"] = String(req.connection.remotePort);
  }
  for (const name of passedOn) {
    const values = req.headersIn.getAll(name);
    if (values.length > 0) headers[name] = toBytes(values.join(name === "Cookie" ? "; " : ", "));
  }
  return headers;
}

interface Question {
  readonly settings: Settings;
  readonly target: RequestedUrl;
}

function judge(req: ApacheRequest, answer: ServiceAnswer, asked: Question): Outcome {
  const { status } = answer;
  const headers = HeaderTable.fromRaw(answer.rawHeaders);
  const isUsable = (status >= 200 && status < 300) || (status >= 400 && status < 500);
  const location = headers.get("location");
  const isRedirect = [301, 302, 303, 307, 308].includes(status) && Boolean(location);
  if (!isUsable && !isRedirect) throw unusable(asked, `status ${status}`);
  // Sessions are renewed with a pass, and begun with the redirect to the login page.
  for (const cookie of headers.getAll("set-cookie")) req.errHeadersOut.add("Set-Cookie", cookie);
  if (status < 300) return adopt(req, headers, asked);
  if (isRedirect) throw redirect(req, status, location as string);
  if (status === 401 && asked.settings.login) throw toLogin(req, asked);
  // For nginx, Authelia says 401 and names the login page in Location.
  const isLogin = status === 401 && location && !headers.has("www-authenticate");
  if (isLogin && wantsPage(req)) throw redirect(req, 302, location);
  throw denial(answer, headers);
}

/** Takes over the identity. Anything the service omits is unset: the client cannot fill it in. */
function adopt(req: ApacheRequest, headers: HeaderTable, asked: Question): Outcome {
  const { users, variables, separator } = asked.settings.convention;
  // Some services send each header twice.
  const valuesOf = (header: string): string[] => {
    const values = headers.getAll(header).map((value) => decodeHeader(value).trim());
    return [...new Set(values)].filter(Boolean);
  };
  const header = users.find((name) => valuesOf(name).length > 0);
  const [user, ...more] = header === undefined ? [] : valuesOf(header);
  if (more.length > 0) throw unusable(asked, `several users in ${header}`);
  for (const [name, variable] of variables) {
    const values = valuesOf(name);
    const isGroups = variable === "REMOTE_GROUPS";
    const value = isGroups ? joinGroups(values, separator) : values.join(", ");
    if (!value) continue;
    req.subprocessEnv.set(variable, value);
    req.notes.set(variable.replace(/^REMOTE_/, "").toLowerCase(), value);
  }
  // Attack: a shared cache keeps the page for everybody; it avoids Authorization, but not cookies.
  req.errHeadersOut.add("Cache-Control", "private");
  if (user !== undefined) {
    req.user = user;
    req.authType = "forward-auth";
  }
  return OK;
}

/** Attack: a group named `x,admins` would be two groups for a reader of the list. */
function joinGroups(values: readonly string[], separator: string): string {
  const isQuoted = separator === separators["quoted"];
  const lists = isQuoted ? values.map((value) => value.replace(/^"|"$/g, "")) : values;
  const groups = lists.flatMap((list) => list.split(separator)).map((group) => group.trim());
  return [...new Set(groups)].filter((group) => group && !group.includes(",")).join(",");
}

/** A script cannot follow a redirect to the login page of another site, but can read a 401. */
function redirect(req: ApacheRequest, status: number, location: string): HttpError {
  if (Buffer.byteLength(location) > headerLimit) {
    return new HttpError(414, { body: "The URL is too long to return to after the login.\n" });
  }
  // Attack: with 307 the browser repeats the form, passwords included, at the login service.
  if (wantsPage(req)) return new HttpError(isRead(req) ? status : 303, { headers: { location } });
  return new HttpError(401, { headers: { location, "www-authenticate": challenge } });
}

/** For services that only respond 401: oauth2-proxy's `/oauth2/auth`, vouch-proxy's `/validate`. */
function toLogin(req: ApacheRequest, { settings, target }: Question): HttpError {
  const back = encodeURIComponent(`${target.scheme}://${target.host}${target.uri}`);
  return redirect(req, 302, `${settings.login?.href}${back}`);
}

function isRead({ method }: ApacheRequest): boolean {
  return method === "GET" || method === "HEAD";
}

/**
 * RFC 9110 requires one with each 401. The name of a real scheme would open the browser's password
 * dialog over a script.
 */
const challenge = "Cookie";

function wantsPage({ headersIn }: ApacheRequest): boolean {
  if (/^xmlhttprequest$/i.test(headersIn.get("x-requested-with", ""))) return false;
  if (headersIn.get("sec-fetch-mode", "navigate") !== "navigate") return false;
  return /\btext\/html\b/i.test(headersIn.get("accept", ""));
}

function denial({ status, body }: ServiceAnswer, headers: HeaderTable): HttpError {
  const entries = shownOnDenial.map((name) => {
    return [name, headers.getAll(name).filter((value) => value.length <= headerLimit)] as const;
  });
  const shownHeaders = Object.fromEntries(entries.filter(([, values]) => values.length > 0));
  if (status === 401) shownHeaders["WWW-Authenticate"] ??= [challenge];
  const isReadable = body.length > 0 && !headers.has("content-encoding");
  if (!isReadable) delete shownHeaders["Content-Type"];
  else if (body.length > pageLimit) shownHeaders["Content-Type"] = ["text/plain; charset=utf-8"];
  const text = body.length > pageLimit ? tooLarge(body.length) : body.toString("utf8");
  return new HttpError(status, { ...(isReadable && { body: text }), headers: shownHeaders });
}

function tooLarge(length: number): string {
  return `Access denied. The page of the login service is too large for Apache: ${length} bytes, at most ${pageLimit}.\n`;
}

function unusable({ settings }: Question, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: shown(settings.service), reason });
}

/** The authorizer has decoded the client's headers. */
function toBytes(value: string): string {
  return /[^\x00-\xff]/.test(value) ? encodeHeader(value) : value;
}
