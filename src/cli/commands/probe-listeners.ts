/** Questions to the sockets of a sidecar, through the transports that Apache uses. */
import { request } from "node:http";
import { connect, type NetConnectOpts } from "node:net";
import {
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_NULL_REQUEST_ID,
  FCGI_VERSION_1,
  writePairs,
  writeRecord,
} from "../../authorizer/fastcgi.ts";
import { probeSocket } from "../../base/probe-socket.ts";
import type { SidecarStatus } from "../../supervisor/status.ts";

type ListenerStatus = SidecarStatus["listeners"][number];

const timeoutMs = 3000;

/** The listeners that do not answer, in words. */
export async function probeListeners(listeners: readonly ListenerStatus[]): Promise<string[]> {
  const failures = await Promise.all(listeners.map(probe));
  return failures.filter((failure) => failure !== undefined);
}

async function probe({ pool, transport, address }: ListenerStatus): Promise<string | undefined> {
  const ask = questions[transport] ?? openConnection;
  try {
    await ask(toOptions(address));
    return undefined;
  } catch (error) {
    return `pool ${pool} does not answer on ${address}: ${(error as Error).message}`;
  }
}

/** `/path`, `127.0.0.1:9700` or `[::1]:9700`. */
function toOptions(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith("/")) return { path: address };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(address.slice(colon + 1)) };
}

function askGateway(to: { path: string } | { host: string; port: number }): Promise<void> {
  const target = "path" in to ? { socketPath: to.path } : to;
  return new Promise((resolve, reject) => {
    const question = request({ ...target, path: "/.mod-ts/health/live", agent: false });
    question.setTimeout(timeoutMs, () => question.destroy(late()));
    question.once("error", reject);
    question.once("response", (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`status ${response.statusCode}`));
    });
    question.end();
  });
}

/** FastCGI Specification 1.0, section 4.1: a question that every application answers. */
function askAuthorizer(to: NetConnectOpts): Promise<void> {
  const names = writePairs([["FCGI_MAX_CONNS", ""]]);
  return new Promise((resolve, reject) => {
    const socket = connect(to, () => {
      socket.write(writeRecord(FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, names));
    });
    socket.setTimeout(timeoutMs, () => socket.destroy(late()));
    socket.once("error", reject);
    socket.once("data", ([version, type]) => {
      socket.destroy();
      if (version === FCGI_VERSION_1 && type === FCGI_GET_VALUES_RESULT) resolve();
      else reject(new Error("not FastCGI"));
    });
    socket.once("end", () => reject(new Error("connection closed")));
  });
}

/** Other transports have no question that is free of side effects. */
async function openConnection(to: NetConnectOpts): Promise<void> {
  const error = await probeSocket(to, timeoutMs);
  if (error) throw error;
}

const questions: Readonly<
  Record<string, (to: { path: string } | { host: string; port: number }) => Promise<void>>
> = { gateway: askGateway, authorizer: askAuthorizer };

function late(): Error {
  return new Error(`nothing within ${timeoutMs} ms`);
}
