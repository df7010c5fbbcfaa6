/**
 * Checks and converts fields by the schema that an author put beside a function.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { StandardIssue, StandardSchema } from "../published.ts";
import type { ApacheRequest } from "../request/request.ts";
import { type Fields, recordOf } from "./fields.ts";
import { validateJson } from "./json-schema.ts";
import { badParameters, type Problem } from "./problems.ts";

/** What a schema made of the fields, or what is wrong with them. */
export type Checked = { readonly value: unknown } | { readonly problems: readonly Problem[] };

/**
 * The parameters as the schema makes them. Rejects with `HttpError` 400 that lists all that is wrong, and with
 * `MODTS_BAD_SCHEMA` when the schema itself is wrong.
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
    const reason = `it is of Standard Schema ${String(version)}, not 1`;
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
