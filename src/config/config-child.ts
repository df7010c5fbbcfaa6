/**
 * Child process that evaluates one configuration file, sends its default export, and exits.
 *
 * The loader resolves `mod-ts/config`, even where mod-ts is not installed.
 */
import { readFileSync } from "node:fs";
import { Cron } from "croner";
import type { ScheduledJob } from "../background/schedule.ts";
import type { ConfigAnswer } from "./config-file.ts";
import { findMistakes } from "./validate.ts";
import * as face from "./config.ts";
import { isModTsError } from "../base/errors.ts";
import { createLoader } from "../loader/loader.ts";

process.on("disconnect", () => process.exit(1));
process.once("message", async (file: string) => {
  const answer = await evaluate(file).catch((error: unknown): ConfigAnswer => ({
    failure: explain(error),
  }));
  // Open timers and sockets of the file must not keep this process alive.
  process.send!(answer, () => process.exit(0));
});

async function evaluate(file: string): Promise<ConfigAnswer> {
  const exports = await load(file);
  if (!("default" in exports)) return { failure: "no default export" };
  const mistakes = findMistakes(exports["default"]);
  if (mistakes.length > 0) return { mistakes };
  const input = exports["default"] as face.Config;
  const late = findTimeMistakes(input.background?.schedule ?? {});
  return late.length > 0 ? { mistakes: late } : { input };
}

/** One line for each job with an invalid time. Here, because the supervisor loads no package. */
function findTimeMistakes(schedule: Readonly<Record<string, ScheduledJob>>): string[] {
  return Object.entries(schedule).flatMap(([name, job]) => {
    const mistake = findMistake(job);
    return mistake === undefined ? [] : [`background.schedule.${name}: ${mistake}`];
  });
}

function findMistake({ cron, timezone }: ScheduledJob): string | undefined {
  try {
    const parsed = new Cron(cron, { paused: true, ...(timezone !== undefined && { timezone }) });
    return parsed.nextRun() ? undefined : `"${cron}" never matches a date`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function load(file: string): Promise<Record<string, unknown>> {
  if (file.endsWith(".json")) return { default: JSON.parse(readFileSync(file, "utf8")) as unknown };
  const loader = createLoader({
    builtins: { "mod-ts": face, "mod-ts/config": face },
    watch: false,
    freshness: "manual",
  });
  return (await loader.load(file, "default")).exports;
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = isModTsError(error) ? error.cause : undefined;
  const text = isModTsError(error) ? error.message : (error.stack ?? error.message);
  return cause === undefined ? text : `${text}\n${explain(cause)}`;
}
