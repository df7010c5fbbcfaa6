/**
 * Directory in which Node.js keeps what V8 has compiled, types of TypeScript removed: a new worker,
 * and the next start, load the code of mod_ts and of packages from there.
 *
 * Node.js compares the text and its own version, and ignores damaged files. Modules of users that
 * are reloaded never lie there.
 */
import { join } from "node:path";
import { openPrivateDirectory } from "../base/private-directory.ts";
import { log } from "../base/log.ts";

const variable = "NODE_COMPILE_CACHE";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of workers. What the administrator has set stays. Attack: a directory that others
 * can write to holds code that workers run; then each worker compiles for itself.
 */
export function withCodeCache(run: string, environment: Environment = process.env): Environment {
  if (environment[variable] !== undefined) return environment;
  const directory = join(run, "code");
  try {
    openPrivateDirectory(directory);
    return { ...environment, [variable]: directory };
  } catch (error) {
    log("info", `compiled code is not kept in ${directory}: ${(error as Error).message}`);
    return environment;
  }
}
