/**
 * A process of its own that evaluates one configuration file, sends what it exports, and ends.
 *
 * The file may import `mod-ts/config` where no mod-ts is installed, because our own loader gives it that name.
 * @module
 */
import type { ConfigAnswer } from "./config-file.ts";
import { findMistakes } from "./config-shape.ts";
import * as face from "./config.ts";
import { isModTsError } from "./errors.ts";
import { createLoader } from "./loader/loader.ts";

process.on("disconnect", () => process.exit(1));
process.once("message", async (file: string) => {
  const answer = await evaluate(file).catch((error: unknown): ConfigAnswer => ({
    failure: explain(error),
  }));
  // A timer or socket that the file left open must not keep this process.
  process.send!(answer, () => process.exit(0));
});

async function evaluate(file: string): Promise<ConfigAnswer> {
  const loader = createLoader({
    builtins: { "mod-ts": face, "mod-ts/config": face },
    watch: false,
    freshness: "manual",
  });
  const { exports } = await loader.load(file, "default");
  if (!("default" in exports)) return { failure: "it has no default export" };
  const input = exports["default"];
  const mistakes = findMistakes(input);
  return mistakes.length > 0 ? { mistakes } : { input: input as face.Config };
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = isModTsError(error) ? error.cause : undefined;
  const text = isModTsError(error) ? error.message : (error.stack ?? error.message);
  return cause === undefined ? text : `${text}\n${explain(cause)}`;
}
