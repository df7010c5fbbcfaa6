/**
 * `apachectl graceful` under load on kept connections: httpd closes idle ones, and a request that is
 * just being sent on one is lost. Nothing else is: httpd has read no byte of such a request, so the
 * client may send it again (RFC 9112, section 9.3.1).
 */
import { Agent, request } from "node:http";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { childrenOf } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const gracefuls = 3;

const apache = await startApache(t, {
  authorizer: true,
  handlers: { "who.ts": handlerFile("who.ts") },
  files: { "htdocs/guarded/a.txt": "a", "htdocs/static.txt": "s" },
  before: "StartServers 2",
  conf: `
    MaxKeepAliveRequests 0
    <Location /hello>
      Use TsHandler who.ts
    </Location>
    <Location /guarded/>
      AuthType mod_ts
      Use TsAuthenHandler who.ts
      Require valid-user
    </Location>`,
});

/** A request that got no response. */
interface Lost {
  path: string;
  wasKept: boolean;
  code: string | undefined;
}

const lost: Lost[] = [];
const statuses = new Map<string, number>();
const over = new AbortController();

function ask(path: string, agent: Agent): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const outgoing = request({ port: apache.port, path, agent, host: "127.0.0.1" });
  outgoing.once("response", (response) => {
    statuses.set(path, response.statusCode ?? 0);
    response.once("close", resolve).resume();
  });
  outgoing.once("error", ({ code }: NodeJS.ErrnoException) => {
    lost.push({ path, wasKept: outgoing.reusedSocket, code });
    resolve();
  });
  outgoing.end();
  return promise;
}

/** One request after the other on one connection, as long as httpd keeps it. */
async function load(path: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let count = 1; !over.signal.aborted; count += 1) await ask(`${path}.${count}`, agent);
  agent.destroy();
}

t.test("what is lost was never read by httpd, with mod_ts and without", async (t) => {
  const paths = ["/hello", "/guarded/a.txt", "/static.txt"];
  const loads = [1, 2].flatMap((client) => paths.map((path) => load(`${path}?${client}`)));
  for (let count = 0; count < gracefuls; count += 1) {
    const before = childrenOf(apache.server.pid);
    const asked = statuses.size;
    process.kill(apache.server.pid, "SIGUSR1");
    await until(
      () => String(childrenOf(apache.server.pid).every((pid) => !before.includes(pid))),
      "true",
    );
    await until(() => String(statuses.size > asked + 100), "true");
  }
  over.abort();
  await Promise.all(loads);
  await apache.server.stop("graceful");

  t.same(
    [...statuses].filter(([, status]) => status !== 200),
    [],
    `${statuses.size} responses are 200`,
  );
  t.same(
    lost.filter(({ wasKept }) => !wasKept),
    [],
    `${lost.length} requests were lost, all of them on kept connections`,
  );
  const log = apache.accessLog();
  const lostOf = (path: string): number => lost.filter((one) => one.path.startsWith(path)).length;
  t.same(
    lost.filter(({ path }) => log.includes(`GET ${path} `)),
    [],
    `httpd has not begun any of these, ${lostOf("/static.txt")} of them for a static file`,
  );
});
