/**
 * Auth endpoints for other servers: `/.mod-ts/auth/<name>` runs access handlers for nginx's
 * `auth_request`, Traefik's ForwardAuth, Caddy's `forward_auth` and Envoy's ext_authz.
 *
 * Attacks:
 * 1. A client reaches an endpoint, through Apache or a mistaken proxy rule, and learns what a
 *    policy decides. So the header `Mod-Ts-Secret` must hold the secret; without a secret there are
 *    no endpoints.
 * 2. A page written by a phase has status 200, which would mean permission here: it becomes 403.
 * 3. The other server copies identity headers of the response over those of the client, but keeps
 *    the client's where the response has none: each one is always in the response, empty by
 *    default.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { createDirectives, type Directives } from "../engine/directives.ts";
import type { PhaseName } from "../engine/handler.ts";
import { ModTsError } from "../base/errors.ts";
import type { Engine } from "../engine/phases.ts";
import { isCgiVariable } from "../request/cgi-variables.ts";
import { encodeHeader, HeaderTable } from "../request/headers.ts";
import { internals } from "../request/internals.ts";
import { ApacheRequest } from "../request/request.ts";
import { createSecretCheck } from "../base/crypto.ts";
import { withinTime } from "../base/attempt.ts";
import { type ExchangeLimits, HttpExchange } from "./http-exchange.ts";
import { type Convention, readQuestion } from "./question.ts";
import { refuse } from "./refuse.ts";

/** One endpoint, as the configuration describes it. */
export interface AuthEndpoint {
  /** Which server asks, and so which headers count. */
  convention: Convention;
  /** Handler references, as in `Use TsAccessHandler`. One of the three lists is required. */
  access?: string;
  /** As in `Use TsAuthenHandler`. */
  authen?: string;
  /** As in `Use TsAuthzHandler`. */
  authz?: string;
  /** As in `Use TsOption`, by key. */
  options?: Record<string, string>;
}

/** Endpoints by the name in their path. */
export type AuthEndpoints = Readonly<Record<string, AuthEndpoint>>;

/** Responds to a question of another server. Never rejects. */
export type AnswerQuestion = (message: IncomingMessage, reply: ServerResponse) => Promise<void>;

export interface AuthEndpointOptions {
  engine: Engine;
  interpreter: string;
  /** Shared with the other server; empty: there are no endpoints. */
  secret: string;
  bodyBytes: number;
  auth?: AuthEndpoints;
  /** Milliseconds for a decision; then 503. @default 5_000 */
  budget?: number;
}

export const authPrefix = "/.mod-ts/auth/";

/** @throws ModTsError `MODTS_BAD_REFERENCE` */
export function createAuthEndpoints(options: AuthEndpointOptions): AnswerQuestion {
  const endpoints = new Map(
    Object.entries(options.auth ?? {}).map(([name, endpoint]) => [name, toDirectives(endpoint)]),
  );
  const conventionOf = (name: string): Convention => options.auth?.[name]?.convention ?? "path";
  const checkSecret = createSecretCheck(options.secret);
  const limit = options.budget ?? 5_000;
  return async (message, reply) => {
    let req: ApacheRequest | undefined;
    try {
      const { name, rest } = splitPath(message.url ?? "");
      if (options.secret === "") throw new ModTsError("MODTS_SECRET_WRONG");
      checkSecret(secretOf(message));
      const directives = endpoints.get(name);
      if (!directives)
        throw new ModTsError("MODTS_CONTEXT_INVALID", `there is no auth endpoint "${name}"`);
      const { interpreter } = options;
      const facts = { convention: conventionOf(name), directives, interpreter };
      const exchange = new QuestionExchange(message, reply, { ...options, ...facts });
      req = new ApacheRequest(readQuestion(message, rest, facts), exchange);
      const decision = options.engine.authorize(req, directives);
      const late = (): Error => new ModTsError("MODTS_AUTHORIZER_TIMEOUT", { limit });
      const passed = await withinTime(decision, limit, late);
      if (passed) allow(req, reply);
    } catch (error) {
      refuse(reply, error, req);
    }
  };
}

/** The response to a question: 2xx would mean permission, and the request has no body. */
class QuestionExchange extends HttpExchange {
  readonly #convention: Convention;

  constructor(
    message: IncomingMessage,
    reply: ServerResponse,
    settings: ExchangeLimits & { readonly convention: Convention },
  ) {
    super(message, reply, settings);
    this.#convention = settings.convention;
  }
  override get hasBody(): boolean {
    return false;
  }
  override body(): Readable {
    throw new ModTsError("MODTS_NO_BODY");
  }
  override begin(status: number, reason: string | undefined, headers: string[]): void {
    // The time limit has passed, and 503 was sent.
    if (this.begun) return;
    const shown = this.#toShown(status);
    super.begin(shown, shown === status ? reason : undefined, headers);
  }

  /** nginx knows only 401 and 403: a redirect becomes 401, and `error_page 401` uses `Location`. */
  #toShown(status: number): number {
    if (status < 300) return 403;
    return status < 400 && this.#convention === "original" ? 401 : status;
  }
}

function toDirectives({ access, authen, authz, options = {} }: AuthEndpoint): Directives {
  const lists = Object.entries({ access, authen, authz }) as [PhaseName, string | undefined][];
  return createDirectives({
    handlers: lists.flatMap(([phase, list]) => (list === undefined ? [] : [[phase, list]])),
    options: Object.entries(options),
  });
}

function splitPath(url: string): { name: string; rest: string } {
  const [, name = "", rest = ""] = /^([\w-]*)([^]*)$/.exec(url.slice(authPrefix.length)) ?? [];
  return { name, rest };
}

/** Undefined if sent twice: one is the client's. */
function secretOf({ rawHeaders }: IncomingMessage): string | undefined {
  const sent = HeaderTable.fromRaw(rawHeaders).getAll("Mod-Ts-Secret");
  return sent.length === 1 ? sent[0] : undefined;
}

/** Sends 200, the user, environment variables set by handlers, and their headers for the client. */
function allow(req: ApacheRequest, reply: ServerResponse): void {
  const { headersOut, errHeadersOut } = req[internals].response;
  const identity = new Map(identityHeaders.map((name) => [name, ""]));
  identity.set("Remote-User", req.user ?? "");
  for (const [name, value] of req.subprocessEnv) {
    // Attack: after addCommonVars() the client's own headers, such as cookies, would be sent.
    if (!isCgiVariable(name)) identity.set(headerName(name), value);
  }
  const own = new Set([...identity.keys()].map((name) => name.toLowerCase()));
  const others = [...headersOut.entries(), ...errHeadersOut.entries()].filter(
    ([name]) => !own.has(name.toLowerCase()) && !connectionHeaders.test(name),
  );
  const headers = [...identity, ...others].flatMap(([name, value]) => [name, encodeHeader(value)]);
  reply.writeHead(200, [...headers, "Content-Length", "0"]);
  reply.end();
}

const identityHeaders = ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"];
const connectionHeaders =
  /^(?:connection|content-(?:length|type|encoding)|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

/** `REMOTE_GROUPS` becomes `Remote-Groups`, any other `MY_NAME` becomes `X-My-Name`. */
function headerName(variable: string): string {
  const words = variable.split("_").map((word) => {
    return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
  });
  return (words[0] === "Remote" ? words : ["X", ...words]).join("-");
}
