/**
 * Arguments of a published function: fields of query and form by the names of its parameters.
 *
 * Attack: a field is named `req`, `__proto__` or `constructor`. `req` is never looked up among the
 * fields, and objects of fields have no prototype.
 */
import type { ApacheRequest } from "../../request/request.ts";
import { internals } from "../../request/internals.ts";
import { badParameters, type Problem } from "./refuse.ts";
import type { Field, Parameter } from "./signature.ts";

/** Throws `HttpError` 400 that names every missing required parameter. */
export function argumentsFor(
  req: ApacheRequest,
  parameters: readonly Parameter[],
  fields: Fields,
): unknown[] {
  const missing: Problem[] = [];
  const take = ({ name, optional }: Field): unknown => {
    if (name === "req") return req;
    const value = fields.get(name);
    if (value === undefined && !optional) missing.push({ parameter: name, message: "is missing" });
    return value;
  };
  const named = namesOf(parameters);
  const values = parameters.flatMap((parameter) => {
    if (parameter.kind === "one") return [take(parameter)];
    if (parameter.kind === "rest") return [...fields].filter(([name]) => !named.has(name));
    return [toObject(parameter, take, () => recordOf(fields, named))];
  });
  if (missing.length > 0) throw badParameters(req, missing);
  return values;
}

function toObject(
  { fields, rest }: Parameter & { kind: "object" },
  take: (field: Field) => unknown,
  others: () => FieldRecord,
): Record<string, unknown> {
  const object: Record<string, unknown> = rest ? others() : Object.create(null);
  for (const field of fields) {
    const value = take(field);
    if (value !== undefined) object[field.name] = value;
  }
  return object;
}

/** Includes `req`, which stays the request even with `...rest`. */
function namesOf(parameters: readonly Parameter[]): ReadonlySet<string> {
  const names = new Set(["req"]);
  for (const parameter of parameters) {
    if (parameter.kind === "one") names.add(parameter.name);
    if (parameter.kind === "object") for (const { name } of parameter.fields) names.add(name);
  }
  return names;
}

/** Part of a form that arguments are made of. */
export interface Fields extends Iterable<readonly [name: string, value: unknown]> {
  /** Value of a field; an array of repeated ones; undefined when missing. */
  get(name: string): unknown;
  /** Distinct names. */
  names(): Iterable<string>;
}

/** Fields by name, repeated ones as arrays; without prototype. */
export type FieldRecord = Record<string, unknown>;

export const noFields: Fields = {
  get: () => undefined,
  names: () => [],
  [Symbol.iterator]: () => [][Symbol.iterator](),
};

/** Synchronous when nothing was sent. Rejects with `HttpError` for unreadable forms. */
export function fieldsOf(req: ApacheRequest): Fields | Promise<Fields> {
  const isEmpty = !req.args && !req[internals].exchange.hasBody;
  return isEmpty ? noFields : req.form();
}

/** All fields except some, by name. */
export function recordOf(fields: Fields, without: ReadonlySet<string> = new Set()): FieldRecord {
  const record = Object.create(null) as FieldRecord;
  for (const name of fields.names()) if (!without.has(name)) record[name] = fields.get(name);
  return record;
}
