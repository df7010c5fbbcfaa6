/**
 * The inspector of a worker, to which editors attach. One port for a pool: a worker that takes
 * another one's place opens it when that one has closed it, and the editor attaches again.
 */
import inspector from "node:inspector";
import { createServer } from "node:net";

export interface Inspect {
  port: number;
  /** Whether the first worker waits for a debugger before it loads handlers. */
  waits: boolean;
}

const host = "127.0.0.1";

/** Until the worker before has closed the port. */
const retryMs = 100;

let isWanted = false;

/** Whether compiled code needs a source map for a debugger. */
export function isDebugged(): boolean {
  return isWanted || inspector.url() !== undefined;
}

/** Opens the inspector, at once if nobody has the port. */
export async function openInspector({ port, waits }: Inspect): Promise<void> {
  isWanted = true;
  if (!(await isFree(port))) return retry(port);
  inspector.open(port, host);
  if (waits) inspector.waitForDebugger();
}

/** Lets the next worker have the port. */
export function closeInspector(): void {
  if (!isWanted) return;
  isWanted = false;
  inspector.close();
}

function retry(port: number): void {
  setTimeout(async () => {
    if (!isWanted) return;
    if (await isFree(port)) inspector.open(port, host);
    else retry(port);
  }, retryMs).unref();
}

/** Node.js itself would write to standard error and go on. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
