/**
 * `mod_ts/publisher`: functions of modules at addresses of their own, with fields of query and form as arguments.
 *
 * ```apache
 * <Directory "/srv/pub">
 *     Use TsHandler mod_ts/publisher
 * </Directory>
 * ```
 *
 * ```
 *   URL ──Apache──> file, path info ──locate──> module, names ──traverse──> function ──guard──> arguments ──call──> publish
 *                                     │                         │               │            │
 *                                     └ DECLINED: another file  └ 403, 404      └ 401, 403   └ 400, 405
 * ```
 * @module
 */
import { existsSync } from "node:fs";
import { DECLINED } from "../outcome.ts";
import type { HeldModule, ModuleSource } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { answerWith, type Answer } from "../publisher/call.ts";
import { checkGuards } from "../publisher/guard.ts";
import { Places } from "../publisher/locate.ts";
import { isPrivateFile, isPrivatePlain } from "../publisher/private-file.ts";
import { refuse } from "../publisher/refuse.ts";
import { type DeadEnd, Target, traverse } from "../publisher/traverse.ts";

/** Makes the module that the reference `mod_ts/publisher` stands for. */
export function createPublisher(): { handler(req: ApacheRequest): Answer } {
  const places = new Places();
  return { handler: (req) => serve(req, places) };
}

function serve(req: ApacheRequest, places: Places, isRepeated = false): Answer {
  const place = places.find(req);
  if (!place) return decline(req);
  const { file, names } = place;
  if (isPrivateFile(file, () => req.uri)) throw refuse(req, 403, `${file} is private`);
  // The loader serves the last version of a file that is gone; whoever deletes a page wants it to be gone, too.
  const again = (): Answer => {
    places.forget(file);
    if (isRepeated) throw refuse(req, 404, `${file} is not there`);
    return serve(req, places, true);
  };
  const use = (module: HeldModule): Answer =>
    module.failure && !existsSync(file) ? again() : answer(req, module, names);
  const fail = (error: unknown): Answer => {
    if (existsSync(file)) throw error;
    return again();
  };
  let found;
  try {
    found = (req[internals].modules as ModuleSource).load(file, exportIn(names));
  } catch (error) {
    return fail(error);
  }
  return found instanceof Promise ? found.then(use, fail) : use(found);
}

/** Another handler, or the plain file. */
function decline(req: ApacheRequest): Answer {
  const { filename, finfo } = req;
  if (finfo.filetype !== "regular" || !isPrivatePlain(filename, () => req.uri)) return DECLINED;
  throw refuse(req, 403, `${filename} is private`);
}

/** The loader takes several names with `|` between them, and no export is called so. */
function exportIn([name = ""]: readonly string[]): string {
  return name.includes("|") ? "" : name;
}

function answer(req: ApacheRequest, module: HeldModule, names: readonly string[]): Answer {
  const end = traverse(module, names);
  if (end.guarded.length === 0) return conclude(req, end);
  return checkGuards(req, end.guarded).then(() => conclude(req, end));
}

function conclude(req: ApacheRequest, end: Target | DeadEnd): Answer {
  if (end instanceof Target) return answerWith(req, end);
  throw refuse(req, end.status, end.reason);
}
