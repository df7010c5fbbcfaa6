/** `mod-ts reload --wait-drained`: when it has returned, no connection that Apache keeps leads to an old worker. */
import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startLoad } from "../fixtures/load.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { childrenOf, isAlive } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  before: "Define MOD_TS_TTL 1",
  conf: `
    <Location /pid>
      Use TsHandler work.ts::pid
    </Location>
    <Location /slow>
      Use TsHandler work.ts::slow
      Use TsOption file "\${FOLDER}/go"
    </Location>`,
  handlers: { "work.ts": handlerFile("drain-work.ts") },
  config: { keepAlive: 1500, pools: { main: { workers: 2 } } },
});
const pidOf = async (): Promise<number> => Number((await apache.request("/pid")).body);

t.test("answers after the return are those of new workers, under load", async (t) => {
  const supervisor = apache.sidecar.pid ?? 0;
  await until(apache.sidecarLog, /\bready\b/);
  for (const round of [1, 2]) {
    // Each client leaves a connection in one of the pools of Apache's processes.
    const load = startLoad(() => apache.request("/pid"), 8);
    await until(() => String((load.counts.get(200) ?? 0) > 50), "true");
    const old = childrenOf(supervisor);
    const { code, stdout } = await modTs("reload", apache.folder, "--wait-drained");
    t.same(old.filter(isAlive), [], `round ${round}: no old worker is left`);
    t.match({ code, stdout }, { code: 0, stdout: `generation ${round + 1}` });
    const answers = await Promise.all(Array.from({ length: 40 }, pidOf));
    const current = childrenOf(supervisor);
    t.same(
      answers.filter((pid) => !current.includes(pid)),
      [],
      "40 answers, all of new workers",
    );
    await load.stop();
    t.same([...load.counts.keys()], [200], `no request failed of ${load.counts.get(200)}`);
  }
});

t.test("it waits for what runs in an old worker; without the option it does not", async (t) => {
  const request = httpRequest({ host: "127.0.0.1", port: apache.port, path: "/slow" }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let stream = "";
  response.setEncoding("utf8").on("data", (part: string) => (stream += part));
  const ended = once(response, "end");
  await until(() => stream, /^\d+ $/);
  const old = Number.parseInt(stream, 10);
  t.match(await modTs("reload", apache.folder), { code: 0, stdout: /generation 4/ });
  t.ok(isAlive(old), "it has returned before the old worker ended");
  let hasReturned = false;
  const waiting = modTs("reload", apache.folder, "--wait-drained").finally(() => {
    hasReturned = true;
  });
  await until(apache.sidecarLog, "reloaded, generation 5");
  t.ok(isAlive(old), "the stream goes on");
  t.notOk(hasReturned);
  apache.write("go", "");
  t.match(await waiting, { code: 0, stdout: /generation 5/ });
  t.notOk(isAlive(old));
  await ended;
  t.equal(stream, `${old} ${old}`, "the stream was not cut");
});
