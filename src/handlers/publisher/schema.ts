/** Validation and conversion of fields by the schema of a published function. */
import { getOrCreate } from "../../base/cache.ts";
import type { ErrorObject, ValidateFunction } from "ajv";
import { ModTsError } from "../../base/errors.ts";
import type { StandardIssue, StandardSchema } from "./published.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { type Fields, recordOf } from "./arguments.ts";
import { badParameters, type Problem } from "./refuse.ts";

export type Checked = { readonly value: unknown } | { readonly problems: readonly Problem[] };

/**
 * The converted parameters. Rejects with `HttpError` 400 that lists all problems, and with
 * `MODTS_BAD_SCHEMA`.
 */
export async function checkBySchema(
  req: ApacheRequest,
  schema: unknown,
  fields: Fields,
  { label }: { readonly label: string },
): Promise<unknown> {
  const record = recordOf(fields);
  const checked = isStandard(schema)
    ? await validateStandard(schema, record, label)
    : await validateJson(schema, record, label);
  if ("value" in checked) return checked.value;
  throw badParameters(req, checked.problems);
}

/** Some libraries make schemas that are functions. */
function isStandard(schema: unknown): schema is StandardSchema {
  const isHolder = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  return isHolder && "~standard" in schema;
}

async function validateStandard(
  schema: StandardSchema,
  record: object,
  label: string,
): Promise<Checked> {
  const { version, validate } = schema["~standard"];
  if (version !== 1) {
    const reason = `Standard Schema ${String(version)}, not 1`;
    throw new ModTsError("MODTS_BAD_SCHEMA", { name: label, reason });
  }
  const result = await validate(record);
  if (!result.issues) return { value: result.value };
  return { problems: result.issues.map(toProblem) };
}

function toProblem({ message, path = [] }: StandardIssue): Problem {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return { parameter: keys.join("."), message };
}

/**
 * Validates and converts a record in place. Fields not in the schema are dropped, unless it has
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
  return { problems: (validate.errors ?? []).map(jsonProblem) };
}

interface Compiled {
  readonly validate: ValidateFunction;
  /** Undefined: all fields are accepted. */
  readonly names: ReadonlySet<string> | undefined;
}

/** Schemas belong to a module version and are collected with it. */
const known = new WeakMap<object, Promise<Compiled>>();

function compiled(schema: unknown, label: string): Promise<Compiled> {
  if (typeof schema !== "object" || schema === null) throw badSchema(label, "not an object");
  return getOrCreate(known, schema, () => compile(schema, label));
}

async function compile(schema: object, label: string): Promise<Compiled> {
  const { Ajv } = await import("ajv");
  // One instance per schema: Ajv keeps everything it compiled, replaced versions included.
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

function jsonProblem({
  instancePath,
  keyword,
  params,
  message = "is wrong",
}: ErrorObject): Problem {
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
