/** Whether a request comes from this machine: pages about the server are shown only there. */
import { isIP } from "node:net";
import type { ApacheRequest } from "../request/request.ts";

/** Added by proxies (RFC 9110, section 7.6.3; RFC 7239). */
const proxyTraces = ["x-forwarded-for", "forwarded", "via"];

/** Attack: behind a local reverse proxy without mod_remoteip, all visitors seem local. */
export function isOfThisMachine(req: ApacheRequest): boolean {
  return isLoopback(req.useragentIp) && !proxyTraces.some((name) => req.headersIn.has(name));
}

/** `127.0.0.0/8`, `::1`, and IPv4 mapped to IPv6. */
function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, "");
  return isIP(plain) === 4 ? plain.startsWith("127.") : plain === "::1";
}
