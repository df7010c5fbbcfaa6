/**
 * `mod_ts/fastify`: a Fastify plugin, `async function (fastify, options)`, on an instance of its own.
 *
 * ```apache
 * <Location "/app">
 *     Use TsHandler mod_ts/fastify
 *     Use TsOption mod_ts.fastify.application app.ts
 *     Use TsOption mod_ts.fastify.base /app
 * </Location>
 * ```
 * @module
 */
import { type ApplicationCall, createApplicationHandler } from "../adapters/application-handler.ts";
import { FastifyVersions } from "../adapters/fastify-versions.ts";
import type { Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Makes the module that the reference `mod_ts/fastify` stands for; `close` ends all instances. */
export function createFastify(): {
  module: { handler(req: ApacheRequest): Promise<Outcome> };
  close(): Promise<void>;
} {
  const applications = new Map<string, FastifyVersions>();
  const versionsOf = ({ name, base }: ApplicationCall): FastifyVersions => {
    const key = `${name} ${base}`;
    const known = applications.get(key) ?? new FastifyVersions();
    applications.set(key, known);
    return known;
  };
  const handler = createApplicationHandler("fastify", (call) =>
    versionsOf(call).answer({ ...call, path: call.reference.path }, call.req, call.url),
  );
  const close = async (): Promise<void> => {
    await Promise.all(Array.from(applications.values(), (versions) => versions.close()));
  };
  return { module: { handler }, close };
}
