/** Routes of the status: page, JSON, metrics, health. A Fastify plugin, with schemas. */
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { isModTsError } from "../../base/errors.ts";
import type { SidecarStatus } from "../../supervisor/status.ts";
import { formatMetrics } from "./metrics.ts";
import { renderContent, renderPage } from "./page.ts";
import { script, style } from "./page-assets.ts";

/** Asks the supervisor. Rejects when it does not answer. */
export type StatusSource = () => Promise<SidecarStatus>;

/** Formats of `/status`; `content`, `style` and `script` are parts of the page. */
const statusFormats = ["html", "json", "openmetrics", "content", "style", "script"] as const;

type StatusFormat = (typeof statusFormats)[number];

/**
 * The page loads nothing from elsewhere. Its style and script are requests of their own, so that it
 * works under the policy of a site that forbids inline ones.
 */
const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const queryOfStatus = {
  type: "object",
  properties: { format: { enum: statusFormats, default: "html" } },
} as const;

const health = {
  type: "object",
  properties: {
    state: { enum: ["ready", "degraded", "down"] },
    reasons: { type: "array", items: { type: "string" } },
  },
} as const;

const statusSchema = {
  type: "object",
  required: ["state", "reasons", "pools"],
  properties: { ...health.properties, pools: { type: "array", items: {} } },
  additionalProperties: true,
} as const;

export function statusRoutes(source: StatusSource): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Querystring: { format: StatusFormat } }>(
      "/status",
      { schema: { querystring: queryOfStatus } },
      async ({ query }, reply) => sendStatus(reply, query.format, source),
    );
    app.get("/status.json", { schema: { response: { 200: statusSchema } } }, async (_, reply) =>
      sendStatus(reply, "json", source),
    );
    app.get("/metrics", async (_, reply) => sendStatus(reply, "openmetrics", source));
    app.get("/health/live", { schema: { response: { 200: health } } }, async (_, reply) =>
      reply.header("Cache-Control", "no-store").send({ state: "ready", reasons: [] }),
    );
    app.get(
      "/health/ready",
      { schema: { response: { 200: health, 503: health } } },
      async (_, reply) => {
        const { state, reasons } = await source().catch(downOf);
        // A pool with fewer workers still serves.
        reply.code(state === "down" ? 503 : 200).header("Cache-Control", "no-store");
        return { state, reasons };
      },
    );
  };
}

async function sendStatus(
  reply: FastifyReply,
  format: StatusFormat,
  source: StatusSource,
): Promise<unknown> {
  reply.header(
    "Cache-Control",
    format === "style" || format === "script" ? "max-age=60" : "no-store",
  );
  reply.header("X-Content-Type-Options", "nosniff");
  if (format === "style") return reply.type("text/css; charset=utf-8").send(style);
  if (format === "script") return reply.type("text/javascript; charset=utf-8").send(script);
  const status = await source();
  if (format === "json")
    return reply.type("application/json; charset=utf-8").send(JSON.stringify(status));
  if (format === "openmetrics") {
    const { text, contentType } = await formatMetrics(status);
    return reply.header("Content-Type", contentType).send(text);
  }
  reply.header("Content-Security-Policy", policy).type("text/html; charset=utf-8");
  return reply.send(format === "content" ? renderContent(status) : renderPage(status));
}

function downOf(error: unknown): Pick<SidecarStatus, "state" | "reasons"> {
  const reason = isModTsError(error) ? error.code : "the supervisor does not answer";
  return { state: "down", reasons: [reason] };
}
