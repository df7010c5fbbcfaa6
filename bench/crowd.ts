/**
 * More clients than Apache has threads: `node bench/crowd.ts [requests]`. On an Apache with 100 threads, 120 and then 400 clients send
 * so many requests each through every mechanism, one after the other, on connections of their own. A request with a callback holds two
 * threads, so some must be turned away, and nobody may wait for ever.
 */
import { Agent, request } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { last, line, mechanisms, withMechanisms } from "./mechanisms.ts";
import { onStage, untilOk } from "./stage.ts";

const requests = Number(process.argv[2] ?? 10);
const threads = 100;
const crowds = [120, 400];
const page = "1k.html";
const names = Object.keys(mechanisms).filter((name) => !name.startsWith("mod_"));

interface Reply {
  /** Or the error code of the connection. */
  readonly status: number | string;
  readonly hasRetryAfter: boolean;
  readonly ms: number;
}

const options = await withMechanisms({
  pages: { [page]: line.repeat(33) + last },
  requestWorkers: threads,
  // By default a connection whose first data comes late, from a client without a processor, waits for
  // retransmissions of the kernel, of up to a minute: `SYN-RECV` in ss(8).
  conf: `AcceptFilter http none\nServerLimit 4\nThreadsPerChild 25\nMaxRequestWorkers ${threads}\nMaxSpareThreads ${threads}`,
});

await onStage(options, async (stage) => {
  stage.startSidecar();
  for (const name of names) await untilOk(`${stage.url}${name}/${page}`);
  const rows = [];
  for (const name of names) {
    for (const size of crowds) rows.push(await crowd(`${stage.url}${name}/${page}`, name, size));
  }
  console.table(rows);
  console.log(`httpd ${stage.httpdVersion}, Node ${process.version}, ${requests} requests each`);
});

async function crowd(url: string, mechanism: string, clients: number): Promise<object> {
  const begin = performance.now();
  const ask = async (): Promise<Reply[]> => {
    const agent = new Agent({ keepAlive: true });
    const replies: Reply[] = [];
    while (replies.length < requests) replies.push(await askOnce(url, agent));
    agent.destroy();
    return replies;
  };
  const replies = (await Promise.all(Array.from({ length: clients }, ask))).flat();
  const away = replies.filter(({ status }) => status === 503);
  const served = replies.filter(({ status }) => status === 200).length;
  return {
    mechanism,
    clients,
    "200": served,
    "503": away.length,
    "of these with Retry-After": away.filter(({ hasRetryAfter }) => hasRetryAfter).length,
    others: replies.length - served - away.length,
    "slowest, ms": Math.round(Math.max(...replies.map(({ ms }) => ms))),
    "200 a second": Math.round((served / (performance.now() - begin)) * 1000),
  };
}

/** Repeats a request on a kept connection that httpd has just closed, as browsers do. */
async function askOnce(url: string, agent: Agent): Promise<Reply> {
  const begin = performance.now();
  for (;;) {
    // Node.js gives the connection back to its agent in a later turn.
    await nextTurn();
    const reply = await new Promise<Omit<Reply, "ms"> | undefined>((resolve) => {
      const asked = request(url, { agent }, (response) => {
        const { statusCode: status = 0, headers } = response;
        const hasRetryAfter = headers["retry-after"] !== undefined;
        response.resume().once("error", failed);
        response.once("end", () => resolve({ status, hasRetryAfter }));
      });
      const failed = ({ code = "error" }: NodeJS.ErrnoException): void =>
        resolve(asked.reusedSocket ? undefined : { status: code, hasRetryAfter: false });
      asked.once("error", failed).end();
    });
    if (reply) return { ...reply, ms: performance.now() - begin };
  }
}
