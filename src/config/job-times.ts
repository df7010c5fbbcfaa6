/** Mistakes in the times of jobs. In the child that reads the configuration: the supervisor loads no package. */
import { Cron } from "croner";
import type { ScheduledJob } from "../background/schedule.ts";

/** One line for each job whose time is none. */
export function findTimeMistakes(schedule: Readonly<Record<string, ScheduledJob>>): string[] {
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
