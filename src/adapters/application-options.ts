/**
 * The options that the handlers for applications share, e.g. of `mod_ts/node`:
 *
 * | option (`Use TsOption …`) | means                                                                                     |
 * |---------------------------|-------------------------------------------------------------------------------------------|
 * | `mod_ts.node.application` | the module, `app.ts` or `app.ts::name`; found as handlers are, `default` without a name      |
 * | `mod_ts.node.base`        | the path that the application lies below, e.g. `/app`; what lies elsewhere is declined       |
 * @module
 */
import { type HandlerReference, parseReference } from "../directives.ts";
import { decodePath } from "../request/requested-url.ts";
import { SectionOptions } from "../section-options.ts";

/** Which application, and where it lies. */
export interface ApplicationOptions {
  readonly reference: HandlerReference;
  /** Decoded, without a slash at the end; empty: everywhere. */
  readonly base: string;
}

/** Reads the options of a handler. Throws `MODTS_BAD_OPTION`, `MODTS_BAD_REFERENCE`. */
export function readApplication(
  handler: string,
  values: Readonly<Record<string, string>>,
): ApplicationOptions {
  const options = new SectionOptions(values, handler);
  options.allowOnly("application", "base");
  const text = options.required("application", "it names the module, e.g. app.ts");
  return { reference: parseReference(text), base: readBase(options) };
}

/** The base alone, for a module that is named by `Use TsHandler`. Throws `MODTS_BAD_OPTION`. */
export function readBase(options: SectionOptions): string {
  const base = options.text("base", "") as string;
  if (base !== "" && !/^\/[^?#]*$/.test(base)) {
    options.fail("base", 'it must be a path that begins with a slash, e.g. "/app"');
  }
  return decodePath(base).replace(/\/$/, "");
}
