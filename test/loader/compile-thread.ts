/** The program of the thread, with jobs as `aside.ts` gives them. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import t from "tap";
import type { CompileJob, CompileResult } from "../../src/loader/aside.ts";

const program = new URL("../../src/loader/compile-thread.ts", import.meta.url);

async function run(job: Omit<CompileJob, "language">): Promise<CompileResult> {
  const workerData: CompileJob = { ...job, language: undefined };
  const thread = new Worker(program, { workerData });
  const [result] = (await once(thread, "message")) as [CompileResult];
  await thread.terminate();
  return result;
}

t.test("one file, one result", async (t) => {
  const [good, bad] = await Promise.all([
    run({ file: "/a.ts", source: "export const a: number = 1;" }),
    run({ file: "/b.ts", source: "\nconst = 1;" }),
  ]);
  t.match(
    good.compiled,
    { code: /export const a = 1/, facts: { ownExports: ["a"], imports: [], fitsCommonJs: false } },
    "code and exports",
  );
  t.equal(good.failure, undefined);
  t.match(bad.failure, { position: { file: "/b.ts", line: 2 } }, "the place of the mistake");
  t.equal(bad.compiled, undefined);
});
