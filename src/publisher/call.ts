/**
 * From what the names led to, to an answer: method, arguments, call, result.
 * @module
 */
import type { Outcome } from "../outcome.ts";
import { isPromiseLike } from "../promise-like.ts";
import type { ApacheRequest } from "../request/request.ts";
import { argumentsFor } from "./arguments.ts";
import { keepPlain } from "./content-type.ts";
import { type Fields, fieldsOf, noFields } from "./fields.ts";
import { requireMethod } from "./methods.ts";
import { isPlainData } from "./plain-data.ts";
import { publish } from "./publish.ts";
import { refuse } from "./refuse.ts";
import { checkBySchema } from "./schema.ts";
import { signatureOf, takesFields } from "./signature.ts";
import { describe, type Target } from "./traverse.ts";

/** An answer, or the promise of one; most functions answer at once, and then nothing here waits. */
export type Answer = Outcome | Response | Promise<Outcome | Response>;

type Published = (...values: unknown[]) => unknown;

/** Publishes a value, or what the function gives that it is. Throws or rejects as the function does. */
export function answerWith(req: ApacheRequest, target: Target): Answer {
  const { value } = target;
  if (typeof value === "function") return answerByCall(req, target, value as Published);
  if (!isPlainData(value))
    throw refuse(req, 403, `${target.label} is ${describe(value)} that is not plain data`);
  requireMethod(req, undefined);
  return publish(req, value, target);
}

function answerByCall(req: ApacheRequest, target: Target, call: Published): Answer {
  const signature = signatureOf(call);
  if (signature.refusal) throw refuse(req, 403, `${target.label} is ${signature.refusal}`);
  requireMethod(req, told(call, "methods"));
  const own = told(call, "parameters");
  const schema = own === undefined ? schemaIn(target) : own;
  if (schema !== undefined) return callBySchema(req, target, schema);
  const parameters = signature.parameters(target);
  const fields = takesFields(parameters) ? fieldsOf(req) : noFields;
  const run = (sent: Fields): Answer =>
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

/** What a function is called with, and what it was made of. */
interface Call {
  readonly values: readonly unknown[];
  readonly sent: Fields;
}

function apply(req: ApacheRequest, target: Target, { values, sent }: Call): Answer {
  const given: unknown = Reflect.apply(target.value as Published, target.owner, values);
  const finish = (value: unknown): Answer => {
    if (typeof value === "string") keepPlain(req, value, sent);
    return publish(req, value, target);
  };
  return isPromiseLike(given) ? Promise.resolve(given).then(finish) : finish(given);
}

/** `export const parameters = { hello: schema }` */
function schemaIn({ module, names: [name = ""], owner }: Target): unknown {
  const schemas = module.exports["parameters"];
  if (owner || typeof schemas !== "object" || schemas === null) return undefined;
  return Object.hasOwn(schemas, name) ? told(schemas, name) : undefined;
}

/**
 * What an author may have put beside a function; none of it is certain. Attack: a schema that is there but undefined, as one with a misspelt
 * name is, would check nothing; so that is null, which is no schema and no list of methods.
 */
function told(holder: object, name: string): unknown {
  return name in holder ? (Reflect.get(holder, name) ?? null) : undefined;
}
