/** Test of whether a process listens on a socket. */
import { connect, type NetConnectOpts } from "node:net";

/**
 * Connects and sends nothing. Resolves with what went wrong, `ETIMEDOUT` after a time; undefined if
 * the connection was accepted.
 */
export function probeSocket(
  to: NetConnectOpts,
  timeoutMs = 0,
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = connect(to, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.setTimeout(timeoutMs, () => {
      const late = new Error(`nothing within ${timeoutMs} ms`);
      socket.destroy(Object.assign(late, { code: "ETIMEDOUT" }));
    });
    socket.once("error", resolve);
  });
}
