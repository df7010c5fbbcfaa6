/**
 * `mod_ts/status`: a live page about the sidecar, the same as JSON and metrics, and health checks.
 *
 * Attack: the page shows paths, lines of source and error messages. So it is shown to this machine
 * only, or to the addresses of `Use TsOption mod_ts.status.allow`.
 */
import { BlockList, isIP } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { oncePerSection, SectionOptions } from "../../base/options.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { isOfThisMachine } from "../../engine/local-client.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { statusRoutes, type StatusSource } from "./routes.ts";

/** Exports of the reference `mod_ts/status`. */
export interface StatusModule {
  /** Page; `?format=json` and `?format=openmetrics` as in the links of the page. */
  handler(req: ApacheRequest): Promise<Outcome>;
  metrics(req: ApacheRequest): Promise<Outcome>;
  /** Content or access phase: this process responds. */
  live(req: ApacheRequest): Promise<Outcome>;
  /** Content or access phase: every pool has a worker that serves; else 503. */
  ready(req: ApacheRequest): Promise<Outcome>;
}

/** Makes the module; `close` ends its Fastify instance. */
export function createStatus(source: StatusSource): {
  module: StatusModule;
  close(): Promise<void>;
} {
  let app: FastifyInstance | undefined;
  const answer = async (req: ApacheRequest, url: string): Promise<Outcome> => {
    app ??= fastify({ logger: false }).register(statusRoutes(source));
    const { statusCode, headers, rawPayload } = await app.inject({ method: "GET", url });
    req.status = statusCode;
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined || /^(?:connection|content-length|date)$/.test(name)) continue;
      if (name === "content-type") req.contentType = String(value);
      else req.errHeadersOut.set(name, String(value));
    }
    // Announced, or a development server would append its script.
    req.setContentLength(rawPayload.length);
    req.write(rawPayload);
    return OK;
  };
  const guarded =
    (urlOf: (req: ApacheRequest) => string) =>
    async (req: ApacheRequest): Promise<Outcome> => {
      if (!isAllowed(req)) {
        req.logError(`mod_ts/status is not shown to ${req.useragentIp}`, "notice");
        return 403;
      }
      if (req.method !== "GET" && req.method !== "HEAD") return 405;
      return answer(req, urlOf(req));
    };
  const check = async (req: ApacheRequest, name: "live" | "ready"): Promise<Outcome> => {
    if (req[internals].phase === "handler") return answer(req, `/health/${name}`);
    if (name === "live") return OK;
    const state = await source().then(
      (status) => status.state,
      () => "down",
    );
    return state === "down" ? 503 : OK;
  };
  return {
    module: {
      handler: guarded(({ args }) => `/status${/^format=\w+$/.test(args ?? "") ? `?${args}` : ""}`),
      metrics: guarded(() => "/metrics"),
      live: (req) => check(req, "live"),
      ready: (req) => check(req, "ready"),
    },
    close: async () => app?.close(),
  };
}

interface StatusOptions {
  /** Undefined: this machine only. */
  allowed: "everyone" | BlockList | undefined;
}

const optionsOf = oncePerSection((values): StatusOptions => {
  const options = new SectionOptions(values, "status");
  options.allowOnly("allow");
  const words = options.words("allow");
  if (words.length === 0) return { allowed: undefined };
  if (words.length === 1 && words[0] === "everyone") return { allowed: "everyone" };
  const list = new BlockList();
  for (const word of words) {
    const [address = "", prefix] = word.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    const most = family === "ipv6" ? 128 : 32;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
    if (isIP(address) === 0 || !(bits <= most)) {
      options.fail("allow", `expected everyone, or addresses and networks, not "${word}"`);
    }
    list.addSubnet(address, bits, family);
  }
  return { allowed: list };
});

function isAllowed(req: ApacheRequest): boolean {
  const { allowed } = optionsOf(req.getOptions());
  if (allowed === undefined) return isOfThisMachine(req);
  if (allowed === "everyone") return true;
  const address = req.useragentIp.replace(/^::ffff:/i, "");
  return allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
