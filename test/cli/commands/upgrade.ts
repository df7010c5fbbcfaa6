/** The command, against the control socket of another process. */
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import t from "tap";
import { run } from "../../../src/cli/commands/upgrade.ts";
import { openControl } from "../../../src/supervisor/control-server.ts";
import type { UpgradeOutcome } from "../../../src/supervisor/control.ts";
import type { SidecarStatus } from "../../../src/supervisor/status.ts";
import { startTime } from "../../../src/base/process-identity.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const folder = shortFolder(t, { "mod-ts.config.json": '{"run":"."}' });

/** What the command prints on both streams. */
async function upgrade(): Promise<{ code: number; text: string }> {
  const streams = [t.capture(process.stdout, "write"), t.capture(process.stderr, "write")];
  const code = await run([folder]).finally(() => streams.forEach((stream) => stream.restore()));
  const text = streams
    .flatMap((stream) => stream().flatMap(({ args }) => args.map(String)))
    .join("");
  return { code, text };
}

t.test("nothing to replace where no sidecar runs", async (t) => {
  await t.rejects(run([folder]), { code: "MODTS_NOT_RUNNING" });
});

t.test("the outcome, and why it failed", async (t) => {
  // Any other process that runs.
  writeFileSync(join(folder, "mod-ts.pid"), `${process.ppid}\n${startTime(process.ppid)}\n`);
  const outcomes: UpgradeOutcome[] = [
    { ok: true, pid: 4711 },
    { ok: false, code: "MODTS_UPGRADE_FAILED", message: "it does not serve" },
  ];
  const refuse = () => Promise.reject(new Error("not asked for"));
  const control = await openControl(
    { run: folder, directory: folder, replaces: false },
    {
      reload: refuse,
      drained: refuse,
      // Asked before, to find a supervisor that hangs.
      status: () => ({}) as SidecarStatus,
      upgrade: async () => outcomes.shift()!,
    },
  );
  t.teardown(() => control?.close());
  t.match(await upgrade(), { code: 0, text: "process 4711 serves" }, "the new process is named");
  t.match(await upgrade(), { code: 1, text: "MODTS_UPGRADE_FAILED: it does not serve" });
});
