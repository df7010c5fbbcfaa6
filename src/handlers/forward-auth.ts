/**
 * `mod_ts/forward-auth`: another service decides, as with Traefik's ForwardAuth, Caddy's `forward_auth` and nginx's `auth_request`:
 * Authelia, oauth2-proxy, authentik, vouch-proxy, or one of your own.
 *
 * ```
 * client ──> Apache ──> mod_ts/forward-auth ── GET url, X-Forwarded-*, Cookie, Authorization ──> service
 *                                           <── 2xx + identity headers: passes, with user and groups
 *                                           <── 3xx, 401, 403, 429 …: the client gets that
 *                                           <── 5xx, nothing, nonsense: 502 or 503, never a pass
 * ```
 * @module
 */
import { askService, type ServiceAnswer, shown } from "../ask-service.ts";
import { ModTsError } from "../errors.ts";
import { SectionOptions, oncePerSection } from "../section-options.ts";
import { HttpError } from "../http-error.ts";
import { OK, type Outcome } from "../outcome.ts";
import { HeaderTable } from "../request/headers.ts";
import type { ApacheRequest } from "../request/request.ts";
import { type RequestedUrl, requestedUrl } from "../request/requested-url.ts";
import type { Dictionary } from "../request/exchange.ts";

/** How a service names the people that it lets pass. */
interface Convention {
  /** Header with the name of the user. */
  readonly user: string;
  /** Header to environment variable. */
  readonly variables: Readonly<Record<string, string>>;
  /** What stands between two groups. */
  readonly separator: string;
}

/** The same three variables whatever the service, so that an application needs to know but one way. */
const conventions: Readonly<Record<string, Convention>> = {
  authelia: convention("Remote-User", ["Remote-Groups", "Remote-Name", "Remote-Email"]),
  "oauth2-proxy": convention("X-Auth-Request-User", [
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Email",
  ]),
  authentik: {
    ...convention("X-authentik-username", [
      "X-authentik-groups",
      "X-authentik-name",
      "X-authentik-email",
    ]),
    separator: "|",
  },
  vouch: convention("X-Vouch-User", [
    "X-Vouch-IdP-Claims-Groups",
    "X-Vouch-IdP-Claims-Name",
    "X-Vouch-IdP-Claims-Email",
  ]),
  traefik: convention("X-Forwarded-User", [
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Email",
  ]),
};

/** What a section says. */
interface Settings {
  readonly url: URL;
  readonly timeout: number;
  readonly convention: Convention;
  readonly login: URL | undefined;
  readonly host: string | undefined;
  readonly groups: readonly string[];
}

/** Headers that go to the service as the client sent them. All others stay here: among them could be an identity of its making. */
const passedOn = ["Cookie", "Authorization", "Accept", "X-Requested-With", "User-Agent"];

/** Headers of a refusal that reach the client; framing and everything that the service says to a proxy do not. */
const shownOnDenial = ["WWW-Authenticate", "Retry-After", "Cache-Control", "Content-Type"];

/** The module that the reference `mod_ts/forward-auth` stands for. */
export interface ForwardAuth {
  /** Asks the service who it is. A pass without a user is 500. */
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  /** Asks the service whether this client may come; it need not name a user. */
  accessHandler(req: ApacheRequest): Promise<Outcome>;
  /** Lets members of the groups in `mod_ts.forward-auth.groups` pass. It must stand beside one of the others. */
  authzHandler(req: ApacheRequest): Outcome;
}

/** Makes the module. */
export function createForwardAuth(): ForwardAuth {
  const settingsOf = oncePerSection(readSettings);
  const ask = async (req: ApacheRequest): Promise<Outcome> => {
    const settings = settingsOf(req.getOptions());
    const url = requestedUrl(req);
    const target = settings.host === undefined ? url : { ...url, host: settings.host };
    const { url: service, timeout } = settings;
    const answer = await askService({ url: service, timeout, headers: question(req, target) });
    return judge(req, answer, { settings, target });
  };
  return {
    authenHandler: ask,
    accessHandler: ask,
    authzHandler(req) {
      const { groups } = settingsOf(req.getOptions());
      if (groups.length === 0) {
        const options = new SectionOptions(req.getOptions(), "forward-auth");
        options.fail("groups", "it is missing; TsAuthzHandler mod_ts/forward-auth needs it");
      }
      const own = (req.notes.get("groups") ?? "").split(",");
      return groups.some((group) => own.includes(group)) ? OK : 403;
    },
  };
}

function convention(user: string, [groups = "", name = "", email = ""]: string[]): Convention {
  const variables = { [groups]: "REMOTE_GROUPS", [name]: "REMOTE_NAME", [email]: "REMOTE_EMAIL" };
  return { user, variables, separator: "," };
}

function readSettings(values: Dictionary): Settings {
  const options = new SectionOptions(values, "forward-auth");
  options.allowOnly("url", "timeout", "preset", "user", "headers", "login", "host", "groups");
  options.required("url", "e.g. http://127.0.0.1:9091/api/authz/forward-auth");
  const preset = options.text("preset", "authelia") as string;
  const known = Object.hasOwn(conventions, preset) ? conventions[preset] : undefined;
  if (!known) {
    return options.fail("preset", `it must be one of ${Object.keys(conventions).join(", ")}`);
  }
  return {
    url: options.url("url") as URL,
    // Below the 5 seconds after which the FastCGI door itself gives up.
    timeout: options.number("timeout", 3000, [1, 4500]),
    convention: {
      user: options.text("user", known.user) as string,
      variables: readMapping(options) ?? known.variables,
      separator: known.separator,
    },
    login: readLogin(options),
    host: options.text("host"),
    groups: options.words("groups"),
  };
}

/** The address that was asked for is appended to it, escaped. */
function readLogin(options: SectionOptions): URL | undefined {
  const login = options.url("login");
  if (login && !login.href.endsWith("="))
    options.fail("login", "it must end with ?name= or &name=");
  return login;
}

/** `Remote-Groups=REMOTE_GROUPS X-Tenant=TENANT` */
function readMapping(options: SectionOptions): Record<string, string> | undefined {
  const words = options.words("headers");
  if (words.length === 0) return undefined;
  return Object.fromEntries(
    words.map((word) => {
      const [, header = "", variable = ""] = /^([\w-]+)=([A-Za-z_]\w*)$/.exec(word) ?? [];
      if (!header) options.fail("headers", `"${word}" is not of the form Header-Name=VARIABLE`);
      return [header, variable];
    }),
  );
}

/** What Traefik, Caddy and nginx would send; everything that says where comes from Apache. */
function question(req: ApacheRequest, { scheme, host, uri }: RequestedUrl): Record<string, string> {
  const headers: Record<string, string> = {
    "X-Forwarded-Method": req.method,
    "X-Forwarded-Proto": scheme,
    "X-Forwarded-Host": host,
    "X-Forwarded-Uri": uri,
    "X-Forwarded-For": req.useragentIp,
    "X-Original-Method": req.method,
    "X-Original-URL": `${scheme}://${host}${uri}`,
    "Accept-Encoding": "identity",
  };
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
  const location = [301, 302, 303, 307, 308].includes(status) ? headers.get("location") : undefined;
  if (!isUsable && !location) throw unusable(asked, `status ${status}`);
  // Sessions are renewed on the way in, and begun on the way to the login page.
  for (const cookie of headers.getAll("set-cookie")) req.errHeadersOut.add("Set-Cookie", cookie);
  if (status < 300) return adopt(req, headers, asked);
  if (location) throw redirect(req, status, location);
  if (status === 401 && asked.settings.login) throw toLogin(req, asked);
  throw denial(answer, headers);
}

/** Takes over what the service says of the user. Whatever it leaves out is not there: the client cannot fill it in. */
function adopt(req: ApacheRequest, headers: HeaderTable, asked: Question): Outcome {
  const { user: userHeader, variables, separator } = asked.settings.convention;
  const [user, ...more] = headers.getAll(userHeader).map(toText).filter(Boolean);
  if (more.length > 0) throw unusable(asked, `it names several users in ${userHeader}`);
  for (const [header, variable] of Object.entries(variables)) {
    const values = headers.getAll(header).map(toText).filter(Boolean);
    const isGroups = variable === "REMOTE_GROUPS";
    const value = isGroups ? joinGroups(values, separator) : values.join(", ");
    if (!value) continue;
    req.subprocessEnv.set(variable, value);
    req.notes.set(variable.replace(/^REMOTE_/, "").toLowerCase(), value);
  }
  if (user !== undefined) {
    req.user = user;
    req.authType = "forward-auth";
  }
  return OK;
}

/** Attack: with another separator a group may be called `x,admins`, and would be two for whoever takes the list apart. */
function joinGroups(values: readonly string[], separator: string): string {
  const groups = values.flatMap((value) => value.split(separator)).map((group) => group.trim());
  return groups.filter((group) => group && !group.includes(",")).join(",");
}

/** A script cannot follow a redirect to the login page of another site; 401 it can understand. */
function redirect(req: ApacheRequest, status: number, location: string): HttpError {
  if (wantsPage(req)) return new HttpError(status, { headers: { location } });
  return new HttpError(401, { headers: { location, "www-authenticate": challenge } });
}

/** For services that only say 401 (oauth2-proxy's `/oauth2/auth`, vouch-proxy's `/validate`). */
function toLogin(req: ApacheRequest, { settings, target }: Question): HttpError {
  const back = encodeURIComponent(`${target.scheme}://${target.host}${target.uri}`);
  const status = req.method === "GET" || req.method === "HEAD" ? 302 : 303;
  return redirect(req, status, `${settings.login?.href}${back}`);
}

/** RFC 9110 wants one on each 401; the name of a real scheme would open the browser's password dialog over a script. */
const challenge = "Cookie";

function wantsPage({ headersIn }: ApacheRequest): boolean {
  if (/^xmlhttprequest$/i.test(headersIn.get("x-requested-with", ""))) return false;
  if (headersIn.get("sec-fetch-mode", "navigate") !== "navigate") return false;
  return /\btext\/html\b/i.test(headersIn.get("accept", ""));
}

function denial({ status, body }: ServiceAnswer, headers: HeaderTable): HttpError {
  const shownHeaders: Record<string, string[]> = {};
  const isReadable = body.length > 0 && !headers.has("content-encoding");
  for (const name of shownOnDenial) {
    const values = headers.getAll(name);
    if (values.length > 0 && (isReadable || name !== "Content-Type")) shownHeaders[name] = values;
  }
  if (status === 401) shownHeaders["WWW-Authenticate"] ??= [challenge];
  const location = headers.get("location");
  if (status === 401 && location) shownHeaders["Location"] = [location];
  const text = isReadable ? { body: body.toString("utf8") } : {};
  return new HttpError(status, { ...text, headers: shownHeaders });
}

function unusable({ settings }: Question, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: shown(settings.url), reason });
}

/** Node gives one character a byte; people's names are UTF-8. */
function toText(value: string): string {
  const text = Buffer.from(value, "latin1").toString("utf8");
  return (text.includes("\ufffd") ? value : text).trim();
}

/** The way back: the FastCGI door has decoded what the client sent. */
function toBytes(value: string): string {
  return /[^\x00-\xff]/.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
}
