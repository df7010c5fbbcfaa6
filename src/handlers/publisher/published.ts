/** Public types of `mod_ts/publisher`: parameter schemas and guards. */
import type { ApacheRequest } from "../../request/request.ts";

/** Standard Schema, version 1 (https://standardschema.dev): zod, valibot, arktype and others. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Only for the compiler. */
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** The converted value, or the problems. */
export type StandardResult<Output = unknown> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  /** From the outside in: keys, or objects that hold one. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A JSON Schema of type `object`, draft 7, whose properties are the parameters. */
export interface JsonSchema {
  readonly type?: "object";
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** Describes the parameters of a published function. */
export type ParametersSchema = StandardSchema | JsonSchema;

/** A published function with a schema, called with the checked parameters and the request. */
export interface PublishedFunction<Parameters> {
  (parameters: Parameters, req: ApacheRequest): unknown;
  /** Checks and converts the parameters. */
  parameters: ParametersSchema;
  /** Allowed methods; default GET, HEAD and POST. GET implies HEAD. */
  methods?: readonly string[];
  /** Access by password. */
  auth?: Auth;
  /** Access by name. */
  access?: Access;
  /** Named in the password dialog. */
  realm?: string;
}

/**
 * Access by user name and password (Basic authentication): a function of which only `true` counts,
 * users with passwords or password hashes, or a constant.
 */
export type Auth =
  | boolean
  | Readonly<Record<string, string>>
  | ((req: ApacheRequest, user: string, password: string) => boolean | Promise<boolean>);

/**
 * Access by name: a function of which only `true` counts, a list of users, or a constant. `user` is
 * null for nobody.
 */
export type Access =
  | boolean
  | readonly string[]
  | ((req: ApacheRequest, user: string | null) => boolean | Promise<boolean>);

/**
 * Publishes a function with a schema: fields of query and form are checked and converted, and the
 * function is called with the result, whose type it gets from the schema. Invalid fields are a 400
 * with a list of all problems.
 *
 * @example
 * ```ts
 * const greeting = z.object({ name: z.string(), times: z.coerce.number().int().max(10).default(1) });
 * export const greet = published(greeting, ({ name, times }) => `Hello ${name}! `.repeat(times));
 * ```
 */
export function published<Parameters>(
  schema: StandardSchema<Parameters>,
  call: (parameters: Parameters, req: ApacheRequest) => unknown,
): PublishedFunction<Parameters>;
/** The same with a JSON Schema; the type of the parameters cannot be inferred from it. */
export function published<Parameters = Record<string, unknown>>(
  schema: JsonSchema,
  call: (parameters: Parameters, req: ApacheRequest) => unknown,
): PublishedFunction<Parameters>;
export function published<Parameters>(
  schema: ParametersSchema,
  call: (parameters: Parameters, req: ApacheRequest) => unknown,
): PublishedFunction<Parameters> {
  // A new function: the given one may belong to another module, or be published twice.
  const publish = (parameters: Parameters, req: ApacheRequest): unknown => call(parameters, req);
  return Object.assign(publish, { parameters: schema });
}
