/**
 * `mod_ts/login`: a login form and a session in front of anything that Apache serves, for users of
 * `htpasswd` files or SQL tables.
 *
 * Options: docs/authentication.md.
 * The authen handler guards a section, the content handler is the page. Both need the same options.
 */
import { randomBytes } from "node:crypto";
import { getOrCreate } from "../../base/cache.ts";
import {
  accountPage,
  type LoginPage,
  loginPage,
  lostPage,
  safeReturnPath,
} from "./credentials/login-page.ts";
import { type LoginDirectories, LoginRealm } from "./credentials/login-realm.ts";
import type { LoginSession } from "./credentials/login-session.ts";
import type { Stores } from "./credentials/stores.ts";
import { ModTsError } from "../../base/errors.ts";
import { HttpError } from "../../base/http-error.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { addTerms } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { oncePerSection } from "../../base/options.ts";

const sessionCookie = "mod_ts_session";
/** Ties a form to the browser that asked for it, before there is a session. */
const formCookie = "mod_ts_form";
/** Bytes of a form: three fields and their escapes. */
const formLimit = 8192;

const pageHeaders: readonly (readonly [string, string])[] = [
  ["Cache-Control", "no-store"],
  // Attack: the page in an invisible frame, and the visitor's clicks and keys go into it.
  [
    "Content-Security-Policy",
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  ],
  ["X-Frame-Options", "DENY"],
  ["X-Content-Type-Options", "nosniff"],
  // The return path may hold what only the visitor should know.
  ["Referrer-Policy", "same-origin"],
];

export interface LoginHandlers {
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  handler(req: ApacheRequest): Promise<Outcome>;
}

export function createLogin(stores: Stores, directories: LoginDirectories): LoginHandlers {
  const realms = new Map<string, LoginRealm>();
  const realmOf = oncePerSection((options) => {
    // One for all sections with the same options, or each would count attempts for itself.
    const key = JSON.stringify(
      Object.entries(options)
        .filter(([name]) => isOurs(name))
        .toSorted(),
    );
    return getOrCreate(realms, key, () => new LoginRealm(options, stores, directories));
  });
  return {
    authenHandler: (req) => guard(req, realmOf(req.getOptions())),
    handler: (req) => serve(req, realmOf(req.getOptions())),
  };
}

function isOurs(name: string): boolean {
  return /^mod_ts\.(?:login|htpasswd|sql)\./.test(name);
}

async function guard(req: ApacheRequest, realm: LoginRealm): Promise<Outcome> {
  const session = await realm.findSession(cookies(req, realm, sessionCookie));
  if (!session) throw sendToLogin(req, realm);
  req.user = session.user;
  req.authType = "mod_ts";
  // Attack: a shared cache keeps the page; it avoids Authorization, but not cookies.
  req.errHeadersOut.add("Cache-Control", "private");
  const renewed = realm.sessions.renew(session);
  if (renewed) setCookie(req, realm, [sessionCookie, realm.sessions.format(renewed)]);
  addTerms(req, realm.files, session.expires * 1000);
  return OK;
}

/** Pages are redirected to the form; other requests, such as those of scripts, get 401. */
function sendToLogin(req: ApacheRequest, realm: LoginRealm): Error {
  const path = realm.location.split("?")[0] as string;
  if (req.uri === path) {
    const name = "mod_ts.login.location";
    const reason =
      "the page lies inside the section it guards; give it a section without: Require all granted";
    return new ModTsError("MODTS_BAD_OPTION", { name, reason });
  }
  const isRead = req.method === "GET" || req.method === "HEAD";
  const login = loginAddress(realm, isRead ? req.unparsedUri : "");
  const headers = { "cache-control": "no-store", vary: "Cookie" };
  const mode = req.headersIn.get("sec-fetch-mode");
  if (wantsData(req) || (mode !== undefined && mode !== "navigate")) {
    const body = `${JSON.stringify({ error: "login required", login: realm.location })}\n`;
    return new HttpError(401, {
      body,
      headers: { ...headers, ...challenge(realm), "content-type": "application/json" },
    });
  }
  if (isRead) return new HttpError(302, { headers: { ...headers, location: login } });
  // A redirect would silently lose what was sent.
  const body = lostPage(realm.title, login);
  return new HttpError(401, {
    body,
    headers: { ...headers, ...challenge(realm), "content-type": "text/html; charset=utf-8" },
  });
}

/** RFC 9110, 15.5.2, requires one; an unknown scheme opens no password dialog in browsers. */
function challenge({ location }: LoginRealm): Record<string, string> {
  return { "www-authenticate": `Cookie form-action="${location}", cookie-name="${sessionCookie}"` };
}

function wantsData(req: ApacheRequest): boolean {
  const accept = req.headersIn.get("accept") ?? "";
  const isScript = /^xmlhttprequest$/i.test(req.headersIn.get("x-requested-with") ?? "");
  return isScript || (/\bapplication\/json\b/i.test(accept) && !/\btext\/html\b/i.test(accept));
}

function loginAddress(realm: LoginRealm, target: string): string {
  const back = safeReturnPath(target);
  if (back === undefined) return realm.location;
  const separator = realm.location.includes("?") ? "&" : "?";
  return `${realm.location}${separator}return=${encodeURIComponent(back)}`;
}

async function serve(req: ApacheRequest, realm: LoginRealm): Promise<Outcome> {
  for (const [name, value] of pageHeaders) req.errHeadersOut.set(name, value);
  if (req.method === "GET" || req.method === "HEAD") return showPage(req, realm);
  if (req.method !== "POST") {
    req.allowMethods(["GET", "HEAD", "POST"]);
    return 405;
  }
  const form = await readForm(req);
  return form.get("action") === "logout" ? logOut(req, realm, form) : logIn(req, realm, form);
}

async function showPage(req: ApacheRequest, realm: LoginRealm): Promise<Outcome> {
  const back = safeReturnPath(new URLSearchParams(req.args ?? "").get("return") ?? undefined);
  const session = await realm.findSession(cookies(req, realm, sessionCookie));
  if (!session) return showForm(req, realm, { back });
  const page = { ...pageOf(realm, back), token: realm.tokens.make(session.id) };
  return write(req, accountPage(page, session.user));
}

interface FormState {
  readonly back: string | undefined;
  readonly problem?: string;
  readonly user?: string;
}

function showForm(req: ApacheRequest, realm: LoginRealm, state: FormState): Outcome {
  const known = cookies(req, realm, formCookie).find((value) => /^[0-9a-f]{32}$/.test(value));
  const id = known ?? randomBytes(16).toString("hex");
  if (known === undefined) setCookie(req, realm, [formCookie, id]);
  const page = { ...pageOf(realm, state.back), token: realm.tokens.make(id) };
  return write(req, loginPage(page, state.problem, state.user));
}

async function logIn(
  req: ApacheRequest,
  realm: LoginRealm,
  form: URLSearchParams,
): Promise<Outcome> {
  const back = safeReturnPath(form.get("return") ?? undefined);
  const user = form.get("user") ?? "";
  const refuse = (status: number, problem: string): Outcome => {
    req.status = status;
    return showForm(req, realm, { back, problem, user: user.slice(0, 255) });
  };
  const ids = cookies(req, realm, formCookie);
  if (isFromElsewhere(req) || !ids.some((id) => realm.tokens.isGood(form.get("token") ?? "", id))) {
    return refuse(
      403,
      "This page was open for too long, or the browser keeps no cookies. Try again.",
    );
  }
  const checked = await realm.guard.check(req, user, form.get("password") ?? "");
  if (checked.hash === undefined) {
    if (checked.wait === 0) return refuse(403, "User name or password is wrong.");
    req.errHeadersOut.set("Retry-After", String(checked.wait));
    return refuse(429, `Too many attempts. Try again in ${checked.wait} seconds.`);
  }
  const session = realm.sessions.begin(user, checked.hash);
  setCookie(req, realm, [sessionCookie, realm.sessions.format(session)]);
  throw seeOther(back ?? realm.location);
}

async function logOut(
  req: ApacheRequest,
  realm: LoginRealm,
  form: URLSearchParams,
): Promise<Outcome> {
  const session = await realm.findSession(cookies(req, realm, sessionCookie));
  if (session) await endSession(req, realm, { session, token: form.get("token") ?? "" });
  setCookie(req, realm, [sessionCookie, ""]);
  throw seeOther(realm.location);
}

async function endSession(
  req: ApacheRequest,
  realm: LoginRealm,
  { session, token }: { session: LoginSession; token: string },
): Promise<void> {
  if (isFromElsewhere(req) || !realm.tokens.isGood(token, session.id)) throw new HttpError(403);
  try {
    await realm.ended.add(session.id, realm.sessions.lastMoment(session));
  } finally {
    if (realm.tickets.isOpen) realm.tickets.revoke(realm.tickets.ownerOf(session));
  }
}

/** Fetch Metadata: what the browser says about the page with the form. Absent in old browsers. */
function isFromElsewhere(req: ApacheRequest): boolean {
  return /^(?:cross-site|same-site)$/.test(req.headersIn.get("sec-fetch-site") ?? "");
}

async function readForm(req: ApacheRequest): Promise<URLSearchParams> {
  const type = req.headersIn.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) throw new HttpError(415);
  const body = await req.read(formLimit + 1);
  if (body.length > formLimit) throw new HttpError(413);
  return new URLSearchParams(body.toString("utf8"));
}

function pageOf(
  { title, location }: LoginRealm,
  back: string | undefined,
): Omit<LoginPage, "token"> {
  return { title, action: location, returnPath: back };
}

function write(req: ApacheRequest, html: string): Outcome {
  req.contentType = "text/html; charset=utf-8";
  req.write(html);
  return OK;
}

/** 303: the browser follows with GET, and does not send the form again. */
function seeOther(location: string): HttpError {
  return new HttpError(303, { headers: { location } });
}

function isSecure(req: ApacheRequest, { alwaysSecure }: LoginRealm): boolean {
  return alwaysSecure || req.isHttps();
}

/** At most four: a neighboring host may have planted others. */
function cookies(req: ApacheRequest, realm: LoginRealm, name: string): string[] {
  return req.cookies.getAll(cookieName(name, isSecure(req, realm))).slice(0, 4);
}

/** With TLS `__Host-`: no neighboring host and no page over plain HTTP can set this cookie. */
function cookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name;
}

/** Until the browser is closed; an empty value removes it. Hidden from scripts and other sites. */
function setCookie(
  req: ApacheRequest,
  realm: LoginRealm,
  [name, value]: readonly [string, string],
): void {
  const secure = isSecure(req, realm);
  const end = value === "" ? { maxAge: 0 } : {};
  const attributes = { path: "/", httpOnly: true, sameSite: "lax", secure, ...end } as const;
  req.setCookie(cookieName(name, secure), value, attributes);
}
