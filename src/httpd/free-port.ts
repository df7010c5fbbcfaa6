/**
 * A TCP port that nobody uses.
 * @module
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { ModTsError } from "../errors.ts";

/** How many ports are tried, the wanted one included. */
const tries = 50;

/**
 * A free TCP port on `host`: `wanted` or one of the 49 after it, or any one when `wanted` is 0. Somebody else may take it a moment later;
 * to make that rare, "any one" lies below the range from which systems give ports to outgoing connections (32768 on, on Linux).
 * @throws ModTsError `MODTS_LISTEN_FAILED` when all are taken, or `host` is no address of this machine
 */
export async function freePort(host: string, wanted = 0): Promise<number> {
  let reason = "";
  const first = wanted === 0 ? randomInt(20_000, 32_000) : wanted;
  for (let port = first; port < first + tries && port < 65_536; port += 1) {
    const found = await tryListen(host, port);
    if (typeof found === "number") return found;
    reason = found.message;
    if (found.code !== "EADDRINUSE" && found.code !== "EACCES") break;
  }
  throw new ModTsError("MODTS_LISTEN_FAILED", { address: `${host}:${first}`, reason });
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
