/** Memory of the supervisor and of an idle worker, and what saves add to it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { descendants, pssMebibytes } from "./cpu.ts";
import { builtProgram, onStage, untilOk } from "./stage.ts";
import { helloHandler, site } from "./subjects.ts";

/** Proportional set sizes, in MiB. */
export interface Memory {
  readonly supervisor: number;
  readonly worker: number;
  readonly reloads: number;
  /** After the reloads, minus before. */
  readonly supervisorGrowth: number;
  readonly workerGrowth: number;
}

/** One worker, which answers the next request after each save with the new code. */
export async function measureMemory(reloads: number): Promise<Memory> {
  const config = { pools: { main: { workers: 1 } } };
  let memory: Memory | undefined;
  await onStage({ ...site, config }, async (stage) => {
    const supervisor = stage.startSidecar("", builtProgram).pid ?? 0;
    const url = `${stage.url}hello`;
    await untilOk(url);
    const before = await settled(supervisor);
    // The first saves bring in the compiler.
    await save(20);
    const warm = await settled(supervisor);
    await save(reloads);
    const after = await settled(supervisor);
    memory = {
      ...before,
      reloads,
      supervisorGrowth: after.supervisor - warm.supervisor,
      workerGrowth: after.worker - warm.worker,
    };

    async function save(times: number): Promise<void> {
      for (let version = 1; version <= times; version += 1) {
        const text = `${times}.${version}`;
        writeFileSync(join(stage.folder, "handlers/hello.ts"), helloHandler(text));
        while ((await (await fetch(url)).text()) !== text);
      }
    }
  });
  return memory!;
}

/** Idle processes give memory back for some seconds. */
async function settled(supervisor: number): Promise<Pick<Memory, "supervisor" | "worker">> {
  await sleep(3000);
  const workers = descendants(supervisor).slice(1).map(pssMebibytes);
  return {
    supervisor: pssMebibytes(supervisor),
    worker: workers.reduce((sum, size) => sum + size, 0) / workers.length,
  };
}
