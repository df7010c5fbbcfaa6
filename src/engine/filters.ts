/** Loads the filters of a location, and puts them around the exchange of a request. */
import { describe, ModTsError } from "../base/errors.ts";
import { version } from "../base/version.ts";
import { isHttpError } from "../base/http-error.ts";
import {
  type AppliedFilter,
  attachFilters,
  FilteredExchange,
  prepareHeaders,
  replaceResponse,
} from "../request/filters/filtered-exchange.ts";
import { type Filter, guardFilter, toFilter } from "../request/filters/filter.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { FilterLists, FilterReference } from "./directives.ts";
import type { HandlerModule } from "./handler.ts";
import { missingExport, type PhaseRunner } from "./phase-runner.ts";

/**
 * Before the content phase. Rejects with what an input filter throws, and with errors of modules.
 */
export async function openFilters(
  req: ApacheRequest,
  lists: FilterLists,
  modules: PhaseRunner,
): Promise<void> {
  const [output, input] = await Promise.all([
    Promise.all(lists.output.map((each) => loadFilter(each, "outputFilter", modules))),
    Promise.all(lists.input.map((each) => loadFilter(each, "inputFilter", modules))),
  ]);
  prepareHeaders(req, output);
  await attachFilters(req, { output, input }).prepareBody();
}

/**
 * Resolves when filters have sent all, or with their error. If nothing was sent, the request
 * has a new response for the error; otherwise the old one is cut off.
 */
export async function settleFilters(req: ApacheRequest): Promise<{ error: unknown } | undefined> {
  const { exchange } = req[internals];
  if (!(exchange instanceof FilteredExchange)) return undefined;
  const failure = await exchange.settled();
  if (failure && exchange.canReplace) replaceResponse(req, exchange.inner);
  return failure;
}

async function loadFilter(
  { reference, types }: FilterReference,
  defaultName: string,
  modules: PhaseRunner,
): Promise<AppliedFilter> {
  const name = reference.path.join(".") || defaultName;
  const module = await modules.load(reference.module, reference.path[0] ?? defaultName);
  const filter = guardFilter(findFilter(module, name), (error) => {
    if (isHttpError(error) || error instanceof ModTsError) return error;
    return new ModTsError("MODTS_FILTER_FAILED", { filter: reference.text }, { cause: error });
  });
  // For `ETag`: browsers keep what another version of the filter made.
  return { filter, types, version: `${reference.text} ${module.digest ?? version}` };
}

function findFilter(module: HandlerModule, name: string): Filter {
  let value: unknown = module.exports;
  for (const part of name.split(".")) {
    // Own members only: "toString" must not resolve to an inherited one.
    const owner = Object(value) as Record<string, unknown>;
    if (!Object.hasOwn(owner, part)) throw missingExport(module, name);
    value = owner[part];
  }
  const filter = toFilter(value);
  if (filter) return filter;
  throw new ModTsError("MODTS_NOT_CALLABLE", { name, module: module.file, type: describe(value) });
}
