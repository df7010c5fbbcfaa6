/**
 * Options, URL, module and errors of applications (docs/applications.md).
 *
 * Applications get the URL exactly as sent, unless Apache understood it differently. Attack:
 * `/app/public/../admin` or `/app//admin` is authorized by Apache as `/app/admin` and routed by the
 * application as written, or vice versa. So URLs with such segments, or changed by `RewriteRule`,
 * are passed in the form that Apache understood.
 */
import { Server } from "node:net";
import { DECLINED, type Outcome } from "../../base/outcome.ts";
import { type HeldModule, internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { oncePerSection, SectionOptions } from "../../base/options.ts";
import { missingExport, wrapHandlerError } from "../../engine/phase-runner.ts";
import { type HandlerReference, parseReference } from "../../engine/handler-reference.ts";
import { describe, ModTsError } from "../../base/errors.ts";
import { canonicalPath } from "../../request/requested-url.ts";
import { decodePath, parseUri } from "../../request/uri.ts";

export interface ApplicationCall extends ApplicationOptions {
  readonly req: ApacheRequest;
  readonly url: ApplicationUrl;
  readonly module: HeldModule;
  /** For log and errors, e.g. `mod_ts/node app.ts`. */
  readonly name: string;
}

/** Makes the handler of `mod_ts/<kind>`. Declines URLs outside of the base. */
export function createApplicationHandler<Result>(
  kind: string,
  answer: (call: ApplicationCall) => Result | Promise<Result>,
): (req: ApacheRequest) => Promise<Result | Outcome> {
  const optionsOf = oncePerSection((values) => readApplication(kind, values));
  return async (req) => {
    const options = optionsOf(req.getOptions());
    const url = applicationUrl(req, options.base);
    if (!url) return DECLINED;
    const module = await loadApplication(req, options.reference);
    const name = `mod_ts/${kind} ${options.reference.text}`;
    try {
      return await answer({ ...options, req, url, module, name });
    } catch (error) {
      throw wrapHandlerError(error, "handler", name);
    }
  };
}

/** Current version of the module, held until the request is over. */
export async function loadApplication(
  req: ApacheRequest,
  { module, path }: HandlerReference,
): Promise<HeldModule> {
  const { modules } = req[internals];
  if (!modules) throw new Error("applications are found by the engine alone");
  return modules.load(module, path[0] ?? "default");
}

/** The own export that a reference names, else `default`. Throws `MODTS_MISSING_EXPORT`. */
export function exportOf(module: HeldModule, path: readonly string[]): unknown {
  const names = path.length > 0 ? path : ["default"];
  let value: unknown = module.exports;
  for (const name of names) {
    if (value === null || value === undefined || !Object.hasOwn(value, name)) {
      throw missingExport(module, names.join("."));
    }
    value = Reflect.get(Object(value), name);
  }
  return value;
}

/** `expected` names the kind, e.g. `a fetch application`. */
export function notAnApplication(module: HeldModule, value: unknown, expected: string): ModTsError {
  const { type, cure } = knownKind(value) ?? { type: describe(value) };
  return new ModTsError("MODTS_NOT_AN_APPLICATION", {
    module: module.file,
    type,
    expected: cure === undefined ? expected : `${expected}; ${cure}`,
  });
}

/** What people export by mistake, and what to do about it. */
function knownKind(value: unknown): { type: string; cure?: string } | undefined {
  if (isConnect(value)) {
    return { type: "an Express or Connect application", cure: "its handler is mod_ts/node" };
  }
  if (value instanceof Server) {
    return { type: "a server of node:http", cure: "its handler is mod_ts/node" };
  }
  if (isFastify(value)) {
    const cure = "its server is for mod_ts/node: await app.ready(); export default app.server";
    return { type: "a Fastify instance", cure };
  }
  return undefined;
}

function isFastify(value: unknown): boolean {
  const methods = Object(value) as Record<string, unknown>;
  return typeof methods["register"] === "function" && typeof methods["inject"] === "function";
}

/** Express and Connect applications are functions with these methods. */
export function isConnect(value: unknown): boolean {
  return (
    typeof value === "function" &&
    typeof Reflect.get(value, "use") === "function" &&
    typeof Reflect.get(value, "handle") === "function"
  );
}

export interface ApplicationOptions {
  readonly reference: HandlerReference;
  /** Decoded, without a trailing slash; empty: everywhere. */
  readonly base: string;
}

/** Throws `MODTS_BAD_OPTION`, `MODTS_BAD_REFERENCE`. */
export function readApplication(
  handler: string,
  values: Readonly<Record<string, string>>,
): ApplicationOptions {
  const options = new SectionOptions(values, handler);
  options.allowOnly("application", "base");
  const text = options.required("application", "the module, e.g. app.ts");
  return { reference: parseReference(text), base: readBase(options) };
}

/** Option for modules named by `Use TsHandler`. Throws `MODTS_BAD_OPTION`. */
export function readBase(options: SectionOptions): string {
  const base = options.text("base", "") as string;
  if (base !== "" && !/^\/[^?#]*$/.test(base)) {
    options.fail("base", 'must be a path that begins with a slash, e.g. "/app"');
  }
  return decodePath(base).replace(/\/$/, "");
}

/** URL without scheme and host, divided as in WSGI. */
export interface ApplicationUrl {
  /** Part removed, as sent, e.g. `/app`; may be empty. WSGI: `SCRIPT_NAME`. */
  readonly base: string;
  /** The rest, with escapes and query; begins with a slash. WSGI: `PATH_INFO`. */
  readonly rest: string;
  readonly whole: string;
}

/** Undefined when the request lies outside of `base`, a decoded path without a trailing slash. */
export function applicationUrl(req: ApacheRequest, base: string): ApplicationUrl | undefined {
  const path = pathOf(req);
  const length = lengthOf(path, base);
  if (length === undefined) return undefined;
  const query = req.args === null ? "" : `?${req.args}`;
  return {
    base: path.slice(0, length),
    rest: (path.slice(length) || "/") + query,
    whole: path + query,
  };
}

function pathOf(req: ApacheRequest): string {
  const target = req.unparsedUri;
  const query = target.indexOf("?");
  // Almost always: nothing escaped or rewritten.
  if (req.uri === (query < 0 ? target : target.slice(0, query))) return req.uri;
  const sent = parseUri(target).path ?? "/";
  // The meaning of an escaped slash depends on the directive AllowEncodedSlashes.
  if (/%2f/i.test(sent)) return canonicalPath(sent, req.uri);
  const isRewritten = decodePath(sent) !== req.uri;
  if (isRewritten) return canonicalPath(req.uri.replaceAll("%", "%25"), req.uri);
  return hasSpecialSegments(sent) ? canonicalPath(sent, req.uri) : sent;
}

/** Whether a path has empty segments, `.` or `..`, escaped ones included; not a trailing slash. */
function hasSpecialSegments(path: string): boolean {
  return /\/(?:\/|(?:\.|%2e){1,2}(?:\/|$))/i.test(path);
}

/** Length of the base in the path; undefined outside of it. */
function lengthOf(path: string, base: string): number | undefined {
  if (base === "") return 0;
  if (path.startsWith(base)) {
    const next = path.charAt(base.length);
    return next === "" || next === "/" ? base.length : undefined;
  }
  const sent = path.split("/").slice(0, base.split("/").length).join("/");
  return decodePath(sent) === base ? sent.length : undefined;
}
