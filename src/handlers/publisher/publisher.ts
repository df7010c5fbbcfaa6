/**
 * `mod_ts/publisher`: functions of modules at URLs of their own, called with query and form fields.
 *
 * ```
 *   URL ──Apache──> file, path info ──locate──> module, names ──traverse──> function
 *                                     │                         │
 *                                     └ DECLINED: another file  └ 403, 404
 *   function ──guard──> arguments ──call──> publish
 *                │            │
 *                └ 401, 403   └ 400, 405
 * ```
 */
import { existsSync } from "node:fs";
import { DECLINED, type Outcome } from "../../base/outcome.ts";
import { type HeldModule, internals, type ModuleSource } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { isPromiseLike } from "../../base/attempt.ts";
import { checkGuards } from "./guard.ts";
import { Places } from "./locate.ts";
import { isPlainData, isPrivateFile, isPrivatePlain } from "./private.ts";
import { refuse, requireMethod } from "./refuse.ts";
import { type DeadEnd, describe, type Target, traverse } from "./traverse.ts";
import { argumentsFor, type Fields, fieldsOf, noFields } from "./arguments.ts";
import { keepPlain, publish } from "./publish.ts";
import { checkBySchema } from "./schema.ts";
import { signatureOf, takesFields } from "./signature.ts";

export function createPublisher(): { handler(req: ApacheRequest): PublisherResult } {
  const places = new Places();
  return { handler: (req) => serve(req, places) };
}

function serve(req: ApacheRequest, places: Places, isRepeated = false): PublisherResult {
  const place = places.find(req);
  if (!place) return decline(req);
  const { file, names } = place;
  if (isPrivateFile(file, () => req.uri)) throw refuse(req, 403, `${file} is private`);
  // The loader serves the last version of a deleted file; the publisher does not.
  const again = (): PublisherResult => {
    places.forget(file);
    if (isRepeated) throw refuse(req, 404, `${file} is not there`);
    return serve(req, places, true);
  };
  const use = (module: HeldModule): PublisherResult =>
    module.failure && !existsSync(file) ? again() : serveModule(req, module, names);
  const fail = (error: unknown): PublisherResult => {
    if (existsSync(file)) throw error;
    return again();
  };
  let found;
  try {
    found = (req[internals].modules as ModuleSource).load(file, exportIn(names));
  } catch (error) {
    return fail(error);
  }
  return found instanceof Promise ? found.then(use, fail) : use(found);
}

/** Another handler, or the plain file. */
function decline(req: ApacheRequest): PublisherResult {
  const { filename, finfo } = req;
  if (finfo.filetype !== "regular" || !isPrivatePlain(filename, () => req.uri)) return DECLINED;
  throw refuse(req, 403, `${filename} is private`);
}

/** The loader reads `|` as a separator of names; no export has it in its name. */
function exportIn([name = ""]: readonly string[]): string {
  return name.includes("|") ? "" : name;
}

function serveModule(
  req: ApacheRequest,
  module: HeldModule,
  names: readonly string[],
): PublisherResult {
  const end = traverse(module, names);
  if (end.guarded.length === 0) return conclude(req, end);
  return checkGuards(req, end.guarded).then(() => conclude(req, end));
}

function conclude(req: ApacheRequest, end: Target | DeadEnd): PublisherResult {
  if ("status" in end) throw refuse(req, end.status, end.reason);
  return publishTarget(req, end);
}

/** Most functions return synchronously; then nothing here waits. */
export type PublisherResult = Outcome | Response | Promise<Outcome | Response>;

type Published = (...values: unknown[]) => unknown;

/** Publishes a value or the result of a function. Throws or rejects as the function does. */
export function publishTarget(req: ApacheRequest, target: Target): PublisherResult {
  const { value } = target;
  if (typeof value === "function") return publishResult(req, target, value as Published);
  if (!isPlainData(value))
    throw refuse(req, 403, `${target.label} is ${describe(value)} that is not plain data`);
  requireMethod(req, undefined);
  return publish(req, value, target);
}

function publishResult(req: ApacheRequest, target: Target, call: Published): PublisherResult {
  const signature = signatureOf(call);
  if (signature.refusal) throw refuse(req, 403, `${target.label} is ${signature.refusal}`);
  requireMethod(req, propertyOf(call, "methods"));
  const own = propertyOf(call, "parameters");
  const schema = own === undefined ? schemaIn(target) : own;
  if (schema !== undefined) return callBySchema(req, target, schema);
  const parameters = signature.parameters(target);
  const fields = takesFields(parameters) ? fieldsOf(req) : noFields;
  const run = (sent: Fields): PublisherResult =>
    apply(req, target, { sent, values: argumentsFor(req, parameters, sent) });
  return isPromiseLike(fields) ? fields.then(run) : run(fields);
}

async function callBySchema(
  req: ApacheRequest,
  target: Target,
  schema: unknown,
): Promise<Outcome | Response> {
  const sent = await fieldsOf(req);
  const value = await checkBySchema(req, schema, sent, target);
  return apply(req, target, { sent, values: [value, req] });
}

/** Arguments of a call, and the fields they were made from. */
interface Call {
  readonly values: readonly unknown[];
  readonly sent: Fields;
}

function apply(req: ApacheRequest, target: Target, { values, sent }: Call): PublisherResult {
  const given: unknown = Reflect.apply(target.value as Published, target.owner, values);
  const finish = (value: unknown): PublisherResult => {
    if (typeof value === "string") keepPlain(req, value, sent);
    return publish(req, value, target);
  };
  return isPromiseLike(given) ? Promise.resolve(given).then(finish) : finish(given);
}

function schemaIn({ module, names: [name = ""], owner }: Target): unknown {
  const schemas = module.exports["parameters"];
  if (owner || typeof schemas !== "object" || schemas === null) return undefined;
  return Object.hasOwn(schemas, name) ? propertyOf(schemas, name) : undefined;
}

/**
 * An unchecked property set by the author. Attack: a schema that is present but undefined, e.g. a
 * misspelled name, would check nothing; so that becomes null, which is invalid.
 */
function propertyOf(holder: object, name: string): unknown {
  return name in holder ? (Reflect.get(holder, name) ?? null) : undefined;
}
