/**
 * The arguments of a published function: fields of query and form by the names of its parameters.
 *
 * Attack: a field is named `req`, `__proto__` or `constructor`. `req` is never looked up among the fields; objects of fields have no
 * prototype, so every name is a name like any other.
 * @module
 */
import type { ApacheRequest } from "../request/request.ts";
import { type FieldRecord, type Fields, recordOf } from "./fields.ts";
import { badParameters, type Problem } from "./problems.ts";
import type { Field, Parameter } from "./signature.ts";

/** Throws `HttpError` 400 that names every required parameter that is missing. */
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
    if (parameter.kind === "rest") return remaining(fields, named);
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

/** `req` among them: it stays the request, also where everything else is asked for. */
function namesOf(parameters: readonly Parameter[]): ReadonlySet<string> {
  const names = new Set(["req"]);
  for (const parameter of parameters) {
    if (parameter.kind === "one") names.add(parameter.name);
    if (parameter.kind === "object") for (const { name } of parameter.fields) names.add(name);
  }
  return names;
}

function remaining(fields: Fields, named: ReadonlySet<string>): (readonly [string, unknown])[] {
  return [...fields].filter(([name]) => !named.has(name));
}
