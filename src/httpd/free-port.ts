/**
 * A TCP port that nobody uses.
 * @module
 */
import { createServer } from "node:net";
import { ModTsError } from "../errors.ts";

/** How many ports are tried, the wanted one included. */
const tries = 50;

/**
 * A free TCP port on `host`: `wanted` or one of the 49 after it, or any one when `wanted` is 0. Somebody else may take it a moment later.
 * @throws ModTsError `MODTS_LISTEN_FAILED` when all are taken, or `host` is no address of this machine
 */
export async function freePort(host: string, wanted = 0): Promise<number> {
  let reason = "";
  for (let port = wanted; port < wanted + tries && port < 65_536; port += 1) {
    const found = await tryListen(host, port);
    if (typeof found === "number") return found;
    reason = found.message;
    if (found.code !== "EADDRINUSE" && found.code !== "EACCES") break;
  }
  throw new ModTsError("MODTS_LISTEN_FAILED", { address: `${host}:${wanted}`, reason });
}

function tryListen(host: string, port: number): Promise<number | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, host, () => {
      const address = server.address();
      const chosen = typeof address === "object" && address ? address.port : port;
      server.close(() => resolve(chosen));
    });
  });
}
