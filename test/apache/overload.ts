/** More requests than handlers can serve: some wait, the rest is told to come back. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { askStatus } from "../../src/supervisor/control.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const limit = 4;

const apache = await startApache(t, {
  conf: `
    <Location /slow>
      Use TsHandler gate.ts::slow
      Use TsOption gate "\${FOLDER}/open"
    </Location>
    <Location /stream>
      Use TsHandler gate.ts::stream
      Use TsOption gate "\${FOLDER}/open"
    </Location>
    <Location /serial>
      Use TsHandler gate.ts::serial
    </Location>
    <Location /quick>
      Use TsHandler gate.ts::quick
    </Location>
  `,
  handlers: {
    "gate.ts": handlerFile("overload-gate.ts"),
  },
  config: { limits: { waitingRequests: limit }, pools: { main: { workers: 1 } } },
});
const gate = join(apache.folder, "open");

const count = (words: string): number => apache.sidecarLog().split(words).length - 1;
const begun = (words: string, times: number) =>
  until(() => String(count(words)), new RegExp(`^${times}$`));

t.test("beyond the limit the response is a 503 at once, and the rest is served", async (t) => {
  const waiting = Array.from({ length: limit }, () => apache.request("/slow"));
  await begun("slow has begun", limit);
  const refused = await Promise.all(Array.from({ length: 20 }, () => apache.request("/slow")));
  for (const { status, headers } of refused) {
    t.equal(status, 503, "rejected while the first ones wait");
    t.equal(headers["retry-after"], "1", "clients are told when to try again");
  }
  await until(apache.sidecarLog, "MODTS_OVERLOADED: request rejected: 4 requests are waiting");
  t.equal(count("slow has begun"), limit, "no handler ran for a rejected request");
  writeFileSync(gate, "");
  for (const { body } of await Promise.all(waiting)) t.equal(body, "done");
  t.equal((await apache.request("/quick")).body, "quick", "the worker serves on");
  rmSync(gate);
});

t.test("ten times more clients than places: waits are bounded, and nothing is left", async (t) => {
  const [before] = (await apache.request("/serial")).body.split(" ");
  const replies: Reply[] = [];
  const client = async (): Promise<void> => {
    while (replies.length < 1500) replies.push(await apache.request("/serial"));
  };
  await Promise.all(Array.from({ length: 10 * limit }, client));
  const served = replies.filter(({ status }) => status === 200);
  const refused = replies.filter(({ status }) => status === 503);
  t.equal(served.length + refused.length, replies.length, "200 or 503, and nothing else");
  t.ok(served.length > limit, `${served.length} were served`);
  t.ok(
    refused.length > 0 && refused.every(({ headers }) => headers["retry-after"] === "1"),
    `${refused.length} were told to come back`,
  );
  const tallies = served.map(({ body }) => body.split(" "));
  t.ok(
    tallies.every(([pid, ahead]) => pid === before && Number(ahead) < limit),
    "all of one worker, and no request waited for more than the limit",
  );
  const left = async (): Promise<string> => {
    const { pools } = await askStatus(join(apache.folder, "run"));
    const { queued, workers } = pools.find(({ name }) => name === "main")!;
    return `${queued} queued, ${workers[0]?.gauges?.active} being served`;
  };
  await until(left, "0 queued, 0 being served");
});

t.test("a stream whose response has begun takes no place", async (t) => {
  const streams: ReturnType<typeof apache.request>[] = [];
  while (streams.length < 2 * limit) {
    streams.push(apache.request("/stream"));
    await begun("stream has begun", streams.length);
  }
  t.equal((await apache.request("/quick")).body, "quick");
  writeFileSync(gate, "");
  for (const { body } of await Promise.all(streams)) t.equal(body, "first,last");
});
