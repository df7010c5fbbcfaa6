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
import { loadApplication } from "../adapters/application-module.ts";
import { type ApplicationOptions, readApplication } from "../adapters/application-options.ts";
import { applicationUrl } from "../adapters/application-url.ts";
import { FastifyVersions } from "../adapters/fastify-versions.ts";
import { DECLINED, type Outcome } from "../outcome.ts";
import { nameCulprit } from "../phase-runner.ts";
import type { ApacheRequest } from "../request/request.ts";
import { oncePerSection } from "../section-options.ts";

/** Makes the module that the reference `mod_ts/fastify` stands for; `close` ends all instances. */
export function createFastify(): {
  module: { handler(req: ApacheRequest): Promise<Outcome> };
  close(): Promise<void>;
} {
  const applications = new Map<string, FastifyVersions>();
  const optionsOf = oncePerSection((values) => readApplication("fastify", values));
  const versionsOf = ({ reference, base }: ApplicationOptions): FastifyVersions => {
    const key = `${reference.text} ${base}`;
    const known = applications.get(key) ?? new FastifyVersions();
    applications.set(key, known);
    return known;
  };
  const handler = async (req: ApacheRequest): Promise<Outcome> => {
    const options = optionsOf(req.getOptions());
    const { reference, base } = options;
    const url = applicationUrl(req, base);
    if (!url) return DECLINED;
    const name = `mod_ts/fastify ${reference.text}`;
    const module = await loadApplication(req, reference);
    const source = { module, path: reference.path, base, name };
    try {
      return await versionsOf(options).answer(source, req, url);
    } catch (error) {
      throw nameCulprit(error, "handler", name);
    }
  };
  const close = async (): Promise<void> => {
    await Promise.all(Array.from(applications.values(), (versions) => versions.close()));
  };
  return { module: { handler }, close };
}
