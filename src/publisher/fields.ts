/**
 * What the client sent: fields of the query, then of the form.
 * @module
 */
import { type ApacheRequest, internals } from "../request/request.ts";

/** The part of a form that arguments are made of. */
export interface Fields extends Iterable<readonly [name: string, value: unknown]> {
  /** The value of a field, an array when the field came more than once, undefined when it did not come. */
  get(name: string): unknown;
  /** Distinct names. */
  names(): Iterable<string>;
}

/** Fields by name, repeated ones as arrays; no prototype. */
export type FieldRecord = Record<string, unknown>;

/** No fields at all. */
export const noFields: Fields = {
  get: () => undefined,
  names: () => [],
  [Symbol.iterator]: () => [][Symbol.iterator](),
};

/** The fields of a request; at once when nothing was sent. Rejects with `HttpError` for what cannot be read. */
export function fieldsOf(req: ApacheRequest): Fields | Promise<Fields> {
  const isEmpty = req.args === null && !req[internals].body.announced;
  return isEmpty ? noFields : req.form();
}

/** All fields but some, by name. */
export function recordOf(fields: Fields, without: ReadonlySet<string> = new Set()): FieldRecord {
  const record = Object.create(null) as FieldRecord;
  for (const name of fields.names()) if (!without.has(name)) record[name] = fields.get(name);
  return record;
}
