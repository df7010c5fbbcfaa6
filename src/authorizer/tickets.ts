/**
 * Tickets: files by which Apache itself repeats a decision, see `TsTicket` in
 * `apache-conf/mod_ts.conf`.
 *
 * ```
 * question ─> begin ─> handlers, observed ─> finish: file, cookie ─> answer
 * cookie   ─> Apache finds the file ─> passes
 *                  └─ a sub-request, or a Require line that needs a user ─> question by the policy of the ticket
 * ```
 *
 * Everything that is unclear means no ticket: then every request is asked, as without `TsTicket`.
 */
import { hash } from "node:crypto";
import { counter } from "../base/counts.ts";
import { log, textOf } from "../base/log.ts";
import { type Dictionary, oncePerSection, SectionOptions } from "../base/options.ts";
import { longestTicket, type TicketPlace, TicketStore } from "../base/ticket-store.ts";
import { HeaderTable } from "../request/headers.ts";
import { type DecisionTerms, internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { isAuthorization } from "./context.ts";
import type { AccessQuestion, Grants } from "./trust.ts";
import { TicketWatch } from "./ticket-watch.ts";

export interface TicketOptions {
  /** Directory of the sockets. */
  readonly run: string;
  /** Shared with Apache. Attack: without it, anyone on the loopback address can ask for a ticket. */
  readonly secret: string;
  readonly grants: Grants;
  /** Files of all handlers that this process has loaded, with their imports. */
  readonly handlerFiles: () => Iterable<string>;
}

/** A question whose answer may become a ticket. */
export interface TicketDraft extends DecisionTerms {
  readonly question: AccessQuestion;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Options `mod_ts.ticket.*`. */
interface Settings {
  readonly lifetimeMs: number;
  readonly isForSection: boolean;
  readonly isSecure: boolean | undefined;
}

/** Tickets that expire within the same time share a directory. */
const slotMs = 10_000;
/** Of one owner within a slot. Attack: a client changes its cookies with each request. */
const mostOfOwner = 32;
/** Of one process. */
const mostTickets = 20_000;

/** Variables that a ticket repeats, beside the user; in the order of the lines in its file. */
const variables = ["REMOTE_GROUPS", "REMOTE_NAME", "REMOTE_EMAIL"] as const;

export class Tickets {
  readonly #options: TicketOptions;
  readonly #store: TicketStore;
  readonly #watch: TicketWatch;
  readonly #settingsOf = oncePerSection(readSettings);
  /** Tickets by the time at which they expire. */
  readonly #slots = new Map<string, number>();
  readonly #reported = new Set<string>();

  constructor(options: TicketOptions) {
    this.#options = options;
    this.#store = new TicketStore(options.run);
    this.#watch = new TicketWatch((path) => {
      this.#store.revokeAll();
      log("info", `${path} has changed: all tickets have been revoked`);
    });
  }

  /** A draft if the answer to this question, of a section with `TsTicket`, may become a ticket. */
  begin(question: AccessQuestion): TicketDraft | undefined {
    const { policy, params, grant, sealedPolicy } = question;
    if (!sealedPolicy || grant || isAuthorization(params)) return undefined;
    // A handler may grant HEAD and refuse GET. Our own content needs the user in its context.
    const isRepeatable =
      params.get("REQUEST_METHOD") === "GET" &&
      !params.get("MOD_TS_STATUS") &&
      policy.includes("ask");
    const hasMore = policy.some((line) => /^(?:content$|type |fixup )/.test(line));
    if (!isRepeatable || hasMore || this.#options.secret === "" || !this.#store.isOpen)
      return undefined;
    return { question, since: Date.now(), files: new Set(), until: Infinity };
  }

  /** Writes the ticket and the cookie, after an OK. Never throws: the OK stands. */
  finish(
    draft: TicketDraft,
    req: ApacheRequest,
    seen: ReadonlySet<string>,
    judged: readonly string[],
  ): void {
    const settings = this.#settingsOf(req.getOptions());
    const reason = settings.isForSection || seen.size === 0 ? whyNot(req) : sawMore(seen);
    if (reason !== undefined) return this.#report(draft, reason);
    try {
      this.#issue(draft, req, settings, judged);
    } catch (error) {
      log("warn", `no ticket could be written: ${textOf(error)}`);
    }
  }

  /** What the ticket says that Apache has found. */
  read(path: string): string | undefined {
    return this.#store.read(path)?.split("\n")[4];
  }

  /** Ends all tickets of this run, as there is no supervisor any more. */
  close(): void {
    this.#watch.clear();
    this.#store.close();
  }

  #issue(
    draft: TicketDraft,
    req: ApacheRequest,
    settings: Settings,
    judged: readonly string[],
  ): void {
    const { question, since, files, until } = draft;
    const { sealedPolicy, params } = question;
    if (!sealedPolicy) return;
    const paths = [...files, ...this.#options.handlerFiles()];
    if (!this.#watch.add(paths, since)) return;
    const user = req.user ?? "";
    const owner = this.#store.ownerOf(
      user ? { user } : { address: params.get("REMOTE_ADDR") ?? "" },
    );
    const visitor = question.policy.findLast((line) => line.startsWith("ticket ")) as string;
    const key = this.#store.mac(JSON.stringify([visitor, user])).toString("base64url");
    const shown = userField(req, user);
    const limit = Math.min(settings.lifetimeMs, until - Date.now());
    const known = presentedEnd(req, { owner, key, shown });
    const now = Date.now();
    const latest = endOf(now + limit);
    const isKnown = known !== undefined && Number(known) * 1000 > now && known <= latest;
    const end = isKnown && this.#store.has({ end: known, owner }) ? known : latest;
    if (limit < slotMs || !this.#hasRoom(end, limit)) return;
    const text = Buffer.concat([Buffer.from(`ticket ${key} ${shown}`), sealedPolicy]);
    const digest = hash("sha1", text);
    const lines = [user, ...variables.map((name) => req.subprocessEnv.get(name, ""))];
    const granted = this.#options.grants.writeTicket(question, judged);
    const place: TicketPlace = { end, owner, digest };
    const content = [...lines, granted, ""].join("\n");
    if (!this.#store.write(place, content, since, mostOfOwner)) return;
    counter.addEvent("tickets_issued");
    this.#slots.set(end, (this.#slots.get(end) ?? 0) + 1);
    if (end === known) return;
    const secure = settings.isSecure ?? req.isHttps();
    const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
    const name = secure ? "__Host-mod_ts_ticket" : "mod_ts_ticket";
    const maxAge = `Max-Age=${Math.ceil(limit / 1000)}`;
    req.errHeadersOut.add(
      "Set-Cookie",
      `${name}=${end}/${owner}/${key}/${shown}; ${maxAge}; ${attributes}`,
    );
    // Attack: a cache that keeps the page of a user with a password keeps the cookie, too.
    if (!req.errHeadersOut.has("Cache-Control")) req.errHeadersOut.set("Cache-Control", "private");
  }

  /** Removes what has expired, and says whether there may be more. */
  #hasRoom(end: string, limit: number): boolean {
    if (!this.#slots.has(end)) {
      this.#store.sweep();
      this.#slots.set(end, 0);
      setTimeout(() => {
        this.#slots.delete(end);
        this.#store.expire(end);
        if (this.#slots.size === 0) this.#watch.clear();
      }, limit + slotMs).unref();
    }
    return [...this.#slots.values()].reduce((sum, count) => sum + count, 0) < mostTickets;
  }

  /** Once for each section, as every request would repeat it. */
  #report({ question }: TicketDraft, reason: string): void {
    const section = question.policy.filter((line) => !line.startsWith("ticket ")).join("\n");
    const key = `${section}\n${reason}`;
    if (this.#reported.has(key) || this.#reported.size >= 1000) return;
    this.#reported.add(key);
    log("warn", `TsTicket gives no ticket for ${question.uri}: ${reason}; each request is checked`);
  }
}

function readSettings(values: Dictionary): Settings {
  const options = new SectionOptions(values, "ticket");
  options.allowOnly("lifetime", "scope", "secure");
  const scope = options.text("scope", "visitor");
  if (scope !== "visitor" && scope !== "section") {
    return options.fail("scope", `expected visitor or section, not "${scope}"`);
  }
  const secure = options.flagOrAuto("secure");
  if (secure === false) return options.fail("secure", "expected Auto or On");
  return {
    lifetimeMs: options.number("lifetime", 300, [slotMs / 1000, longestTicket]) * 1000,
    isForSection: scope === "section",
    isSecure: secure,
  };
}

/** They would end a line of the file, or the name for Apache. */
const control = /[\x00-\x1f\x7f]/;

function sawMore(seen: ReadonlySet<string>): string {
  return `the handlers looked at ${[...seen].join(", ")}`;
}

/** What the answer says beyond the user and the variables of a ticket. */
function whyNot(req: ApacheRequest): string | undefined {
  const { environment } = req[internals].context;
  for (const [name, value] of req.subprocessEnv.entries()) {
    if (environment[name] === value) continue;
    const isRepeated = variables.some((variable) => variable === name);
    if (!isRepeated || control.test(value)) return `the handlers set the variable ${name}`;
  }
  for (const [name, value] of HeaderTable.fromRaw(req[internals].response.rawHeaders())) {
    const isPrivate = /^cache-control$/i.test(name) && value === "private";
    if (!isPrivate) return `the handlers set the header ${name}`;
  }
  return control.test(req.user ?? "") ? "the user name has control characters" : undefined;
}

/** The user, and whether the file says more. */
function userField(req: ApacheRequest, user: string): string {
  const hasMore = variables.some((name) => req.subprocessEnv.has(name));
  return Buffer.from(user).toString("base64") + (hasMore ? "~" : "");
}

/** End of the ticket that the client has, if it is one of this visitor. */
function presentedEnd(
  req: ApacheRequest,
  { owner, key, shown }: { owner: string; key: string; shown: string },
): string | undefined {
  const names = ["__Host-mod_ts_ticket", "mod_ts_ticket"];
  const values = names.flatMap((name) => req.cookies.getAll(name));
  const tail = `/${owner}/${key}/${shown}`;
  const value = values.find((one) => one.endsWith(tail) && one.length === endLength + tail.length);
  return value?.slice(0, endLength);
}

/** Digits of a time in seconds since 1970. */
const endLength = 10;

/** Start of the slot in which this time lies, in milliseconds since 1970: the end of a ticket, in seconds. */
function endOf(time: number): string {
  return String((Math.floor(time / slotMs) * slotMs) / 1000);
}
