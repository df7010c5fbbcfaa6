/** What a command has to clean up, whether it ends by itself or by a signal. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Lets a signal end the process by `process.exit()`, so that everything given to {@link atExit} is
 * cleaned up. The exit code is that of shells: 128 and the number of the signal.
 */
export function exitOnSignals(): void {
  for (const [name, number] of Object.entries(signals)) {
    process.once(name, () => process.exit(128 + number));
  }
}

/** Runs `clean` when the process exits, unless the function it returns has been called. */
export function atExit(clean: () => void): () => void {
  process.once("exit", clean);
  return () => void process.off("exit", clean);
}

/** A private temporary directory with its real path; removed when `use` settles, or at the exit. */
export async function withScratch<T>(
  prefix: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), prefix)));
  // Another process may still write there.
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  const cancel = atExit(remove);
  try {
    return await use(directory);
  } finally {
    cancel();
    remove();
  }
}
