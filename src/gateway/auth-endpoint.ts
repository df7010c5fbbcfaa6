/**
 * The same handlers for other servers: nginx's `auth_request`, Traefik's ForwardAuth, Caddy's `forward_auth`, Envoy's ext_authz ask
 * `/.mod-ts/auth/<name>` on the sockets of the gateway, and get 200 with the user, or what the handlers say.
 *
 * Attacks that this page answers:
 * 1. A client reaches the endpoint, through Apache or a mistaken proxy rule, and learns what a policy says: the header `Mod-Ts-Secret`
 *    must hold the secret of the configuration, and without one there are no endpoints.
 * 2. A page that a phase wrote itself has status 200, which would be a permission here: it becomes a 403.
 * 3. The asking server copies identity headers of the answer over those of the client, but leaves the client's where the answer has none:
 *    each of them is always in the answer, empty where there is nothing to say.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { type Directives, parseDirectives } from "../directives.ts";
import { ModTsError } from "../errors.ts";
import { reasonPhrase } from "../http-status.ts";
import type { Engine } from "../phases.ts";
import { isCgiVariable } from "../request/cgi-variables.ts";
import { ApacheRequest, internals } from "../request/request.ts";
import { createSecretCheck } from "../secret.ts";
import { HttpExchange } from "./http-exchange.ts";
import { type Convention, readQuestion } from "./question.ts";
import { refuse } from "./refuse.ts";

/** One endpoint, as the configuration describes it. */
export interface AuthEndpoint {
  /** Which server asks, and so which headers count. */
  convention: Convention;
  /** Handler references, as in `Use TsAccessHandler`. At least one of the three lists must be there. */
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

/** Answers a question. Never rejects. */
export type AnswerQuestion = (message: IncomingMessage, reply: ServerResponse) => Promise<void>;

/** What the endpoints need of the gateway. */
export interface AuthEndpointOptions {
  engine: Engine;
  interpreter: string;
  /** Shared with the asking server; empty: there are no endpoints. */
  secret: string;
  bodyBytes: number;
  auth?: AuthEndpoints;
  /** Milliseconds for a decision; then 503. @default 5_000 */
  budget?: number;
}

const prefix = "/.mod-ts/auth/";

/** Whether a message asks an endpoint. Apache sends a context with everything, so its requests never do. */
export function isAuthQuestion({ url = "", headers }: IncomingMessage): boolean {
  return url.startsWith(prefix) && headers["mod-ts-context"] === undefined;
}

/** Parses the endpoints once. @throws ModTsError `MODTS_BAD_REFERENCE` */
export function createAuthEndpoints(options: AuthEndpointOptions): AnswerQuestion {
  const endpoints = new Map(
    Object.entries(options.auth ?? {}).map(([name, endpoint]) => [name, toDirectives(endpoint)]),
  );
  const conventionOf = (name: string): Convention => options.auth?.[name]?.convention ?? "path";
  const checkSecret = createSecretCheck(options.secret);
  return async (message, reply) => {
    let req: ApacheRequest | undefined;
    try {
      const { name, rest } = splitPath(message.url ?? "");
      if (options.secret === "") throw new ModTsError("MODTS_SECRET_WRONG");
      checkSecret(secretOf(message));
      const directives = endpoints.get(name);
      if (!directives) throw unknownEndpoint(name);
      const facts = {
        convention: conventionOf(name),
        directives,
        interpreter: options.interpreter,
      };
      const exchange = new QuestionExchange(message, reply, options).as(facts.convention);
      req = new ApacheRequest(readQuestion(message, rest, facts), exchange);
      const decision = options.engine.authorize(req, directives);
      const passed = await within(decision, options.budget ?? 5_000);
      if (passed) allow(req, reply);
    } catch (error) {
      refuse(reply, error, req);
    }
  };
}

/** A decision is an answer of another kind: 2xx would be a permission, and nobody sends the body of the request. */
class QuestionExchange extends HttpExchange {
  #convention: Convention = "path";

  as(convention: Convention): this {
    this.#convention = convention;
    return this;
  }
  override get hasBody(): boolean {
    return false;
  }
  override body(): Readable {
    throw new ModTsError("MODTS_NO_BODY");
  }
  override begin(status: number, reason: string, headers: string[]): void {
    // Too late: the time for a decision is over, and its answer has been given.
    if (this.begun) return;
    const shown = this.#toShown(status);
    super.begin(shown, shown === status ? reason : reasonPhrase(shown), headers);
  }

  /** nginx knows 401 and 403; a redirect it would call an error, while `error_page 401` can send the client to `Location`. */
  #toShown(status: number): number {
    if (status < 300) return 403;
    return status < 400 && this.#convention === "original" ? 401 : status;
  }
}

function toDirectives({ access, authen, authz, options = {} }: AuthEndpoint): Directives {
  const phases = Object.entries({ access, authen, authz }).filter(([, list]) => list !== undefined);
  return parseDirectives([
    ...phases.map(([phase, list]) => `${phase} ${list}`),
    ...Object.entries(options).map(([key, value]) => `option ${key} ${value}`),
  ]);
}

function splitPath(url: string): { name: string; rest: string } {
  const [, name = "", rest = ""] = /^([\w-]*)([^]*)$/.exec(url.slice(prefix.length)) ?? [];
  return { name, rest };
}

/** Two of them: one is the client's. */
function secretOf({ rawHeaders }: IncomingMessage): string | undefined {
  const at = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() === "mod-ts-secret" ? [index] : [],
  );
  return at.length === 1 ? rawHeaders[(at[0] as number) + 1] : undefined;
}

function within(decision: Promise<boolean>, limit: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ModTsError("MODTS_AUTHORIZER_TIMEOUT", { limit })), limit);
  });
  return Promise.race([decision, late]).finally(() => clearTimeout(timer));
}

/** 200, the user, what handlers put into the environment, and their headers for the client. */
function allow(req: ApacheRequest, reply: ServerResponse): void {
  const { headersOut, errHeadersOut } = req[internals].response;
  const identity = new Map(identityHeaders.map((name) => [name, ""]));
  identity.set("Remote-User", req.user ?? "");
  for (const [name, value] of req.subprocessEnv) {
    // addCommonVars() of a handler must not send the client's own headers on, its cookies among them.
    if (!isCgiVariable(name)) identity.set(headerName(name), value);
  }
  const own = new Set([...identity.keys()].map((name) => name.toLowerCase()));
  const others = [...headersOut.entries(), ...errHeadersOut.entries()].filter(
    ([name]) => !own.has(name.toLowerCase()) && !connectionHeaders.test(name),
  );
  const headers = [...identity, ...others].flatMap(([name, value]) => [name, toBytes(value)]);
  reply.writeHead(200, [...headers, "Content-Length", "0"]);
  reply.end();
}

const identityHeaders = ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"];
const connectionHeaders =
  /^(?:connection|content-(?:length|type|encoding)|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

/** `REMOTE_GROUPS` is `Remote-Groups`, any other `NAME_OF_IT` is `X-Name-Of-It`. */
function headerName(variable: string): string {
  const words = variable.split("_").map((word) => {
    return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
  });
  return (words[0] === "Remote" ? words : ["X", ...words]).join("-");
}

/** Node sends one byte a character. */
function toBytes(value: string): string {
  return Buffer.from(value, "utf8").toString("latin1");
}

function unknownEndpoint(name: string): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", { reason: `there is no auth endpoint "${name}"` });
}
