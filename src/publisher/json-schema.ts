/**
 * JSON Schema for parameters, by Ajv: text becomes what the schema says, and every mistake is reported.
 * @module
 */
import type { ErrorObject, ValidateFunction } from "ajv";
import { ModTsError } from "../errors.ts";
import type { Problem } from "./problems.ts";
import type { Checked } from "./schema.ts";

/**
 * Checks a record of fields, and converts it in place. Fields that the schema does not name are dropped, unless it has
 * `additionalProperties` other than false. Rejects with `MODTS_BAD_SCHEMA`.
 */
export async function validateJson(
  schema: unknown,
  record: Record<string, unknown>,
  label: string,
): Promise<Checked> {
  const { validate, names } = await compiled(schema, label);
  if (names) for (const name of Object.keys(record)) if (!names.has(name)) delete record[name];
  if (validate(record)) return { value: record };
  return { problems: (validate.errors ?? []).map(toProblem) };
}

interface Compiled {
  readonly validate: ValidateFunction;
  /** Undefined: all fields are taken. */
  readonly names: ReadonlySet<string> | undefined;
}

/** The schema is an object of a version of the author's module, and goes with it. */
const known = new WeakMap<object, Promise<Compiled>>();

function compiled(schema: unknown, label: string): Promise<Compiled> {
  if (typeof schema !== "object" || schema === null) throw badSchema(label, "it is no object");
  let made = known.get(schema);
  if (!made) {
    made = compile(schema, label);
    known.set(schema, made);
  }
  return made;
}

async function compile(schema: object, label: string): Promise<Compiled> {
  const { Ajv } = await import("ajv");
  // One each: an Ajv remembers what it has compiled, and schemas of replaced versions would stay for ever.
  const ajv = new Ajv({
    coerceTypes: "array",
    allErrors: true,
    useDefaults: true,
    allowUnionTypes: true,
  });
  try {
    return { validate: ajv.compile(schema), names: namesOf(schema) };
  } catch (error) {
    throw badSchema(label, (error as Error).message, error);
  }
}

interface Keywords {
  readonly properties?: object;
  readonly additionalProperties?: unknown;
  readonly patternProperties?: unknown;
}

function namesOf(schema: Keywords): ReadonlySet<string> | undefined {
  const { properties, additionalProperties = false, patternProperties } = schema;
  const takesMore = additionalProperties !== false || patternProperties !== undefined;
  return properties && !takesMore ? new Set(Object.keys(properties)) : undefined;
}

function toProblem({ instancePath, keyword, params, message = "is wrong" }: ErrorObject): Problem {
  const way = instancePath.split("/").slice(1).map(unescape);
  if (keyword !== "required") return { parameter: way.join("."), message };
  const { missingProperty } = params as { missingProperty: string };
  return { parameter: [...way, missingProperty].join("."), message: "is missing" };
}

/** RFC 6901, section 3. */
function unescape(token: string): string {
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}

function badSchema(name: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_BAD_SCHEMA", { name, reason }, { cause });
}
