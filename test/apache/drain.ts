/** Reloads, ends and crashes while requests come in. */
import { once } from "node:events";
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import t from "tap";
import { WebSocket } from "ws";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, startApache } from "../fixtures/httpd.ts";
import { haveEnded, isAlive } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const options = {
  before: "Define MOD_TS_TTL 1",
  conf: `
    <Location /pid>
      Use TsHandler work.ts::pid
    </Location>
    <Location /body>
      Use TsHandler work.ts::body
    </Location>
    <Location /slow>
      Use TsHandler work.ts::slow
      Use TsOption file "\${FOLDER}/go"
    </Location>
    <Location /socket>
      Use TsHandler work.ts
    </Location>
    <Location /crash>
      Use TsHandler work.ts::crash
    </Location>
  `,
  config: { keepAlive: 1500, pools: { main: { workers: 2 } } },
  handlers: {
    "work.ts": handlerFile("drain-work.ts"),
  },
};

/** Clients that ask again and again on connections that they keep. */
class Load {
  /** Answers by status, broken connections as `error`. */
  readonly counts: Record<string, number> = {};
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #running = true;

  constructor(apache: Apache, clients: number) {
    this.#port = apache.port;
    this.#clients = Array.from({ length: clients }, (_, index) => this.#run(index % 3 === 0));
  }

  async stop(): Promise<Record<string, number>> {
    this.#running = false;
    await Promise.all(this.#clients);
    this.#agent.destroy();
    return this.counts;
  }

  async #run(upload: boolean): Promise<void> {
    while (this.#running) {
      const result = await this.#ask(upload ? "x".repeat(200_000) : undefined);
      this.counts[result] = (this.counts[result] ?? 0) + 1;
    }
  }

  #ask(body: string | undefined, agent: Agent | false = this.#agent): Promise<string> {
    return new Promise((resolve) => {
      const request = httpRequest({
        host: "127.0.0.1",
        port: this.#port,
        path: body ? "/body" : "/pid",
        method: body ? "POST" : "GET",
        agent,
      });
      // RFC 9112, section 9.6: a server that answers before it has read the body, and closes, may reset
      // the connection before the client has read the answer.
      const isUnread = (code = ""): boolean =>
        body !== undefined && ["ECONNRESET", "EPIPE"].includes(code);
      request.once("error", ({ code }: NodeJS.ErrnoException) => {
        // Section 9.3.1: httpd, which may close a kept connection at any time, has closed this one meanwhile.
        const isStale = body === undefined && request.reusedSocket && code === "ECONNRESET";
        if (isStale) return resolve(this.#ask(body, false));
        resolve(isUnread(code) ? "body refused" : `error ${code}`);
      });
      request.once("response", (response) => {
        response.resume();
        response.once("error", () => resolve("error in the body"));
        response.once("end", () => resolve(String(response.statusCode)));
      });
      request.end(body);
    });
  }
}

type Started = Awaited<ReturnType<typeof startApache>>;

/** A slow request, up to its first part; `rest` gives all of it. */
async function beginSlow(apache: Apache): Promise<{ pid: number; rest: Promise<string> }> {
  const request = httpRequest({ host: "127.0.0.1", port: apache.port, path: "/slow" }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const rest = once(response, "end").then(() => text);
  while (!text.includes(" ")) await once(response, "data");
  return { pid: Number.parseInt(text, 10), rest };
}

async function reload(apache: Started, generation: number): Promise<void> {
  apache.sidecar.kill("SIGHUP");
  const line = new RegExp(`reloaded, generation ${generation}\\b`);
  if (!line.test(await until(apache.sidecarLog, line))) throw new Error(`no ${line} in the log`);
}

t.test("SIGHUP under load", async (t) => {
  const apache = await startApache(t, options);
  const slow = await beginSlow(apache);
  const socket = new WebSocket(`ws://127.0.0.1:${apache.port}/socket`);
  const socketClosed = once(socket, "close") as Promise<[number]>;
  await once(socket, "open");
  const load = new Load(apache, 3);
  for (const generation of [2, 3, 4]) await reload(apache, generation);
  t.not(Number((await apache.request("/pid")).body), slow.pid, "new requests go to new workers");
  apache.write("go", "");
  t.equal(await slow.rest, `${slow.pid} ${slow.pid}`, "the old worker finishes what it began");
  await t.resolves(haveEnded([slow.pid]), "and goes");
  t.equal((await socketClosed)[0], 1001, "a WebSocket is told to come back");
  const counts = await load.stop();
  t.same(Object.keys(counts), ["200"], JSON.stringify(counts));
  t.ok((counts["200"] ?? 0) > 50);
  t.notMatch(apache.sidecarLog(), /MODTS_(?!RUNS_AS_ROOT)|:error\]/);
  t.notMatch(apache.errorLog(), /:error\]/);
});

t.test("SIGTERM: what runs is finished, then Apache says 503", async (t) => {
  const apache = await startApache(t, options);
  const slow = await beginSlow(apache);
  const load = new Load(apache, 3);
  apache.sidecar.kill("SIGTERM");
  await until(apache.sidecarLog, "stopping");
  apache.write("go", "");
  t.equal(await slow.rest, `${slow.pid} ${slow.pid}`);
  if (apache.sidecar.exitCode === null) await once(apache.sidecar, "exit");
  t.equal(apache.sidecar.exitCode, 0);
  t.equal((await apache.request("/pid")).status, 503);
  t.notOk(isAlive(slow.pid));
  // A connection that was just being closed is a 502: who stops the sidecar under load has that.
  const possible = ["200", "502", "503", "body refused"];
  const counts = await load.stop();
  t.same(
    Object.keys(counts).filter((result) => !possible.includes(result)),
    [],
    JSON.stringify(counts),
  );
});

t.test("a worker that dies in a request takes that one with it", async (t) => {
  const config = { ...options.config, pools: { main: { workers: 1 } } };
  const apache = await startApache(t, { ...options, config });
  const died = "MODTS_WORKER_DIED: worker \\d+ of pool main exited \\(exit code 3\\)";
  for (const [index, path] of ["/crash", "/crash?later"].entries()) {
    const reply = await apache.request(path).catch(() => ({ status: 0 }));
    // Cut off (0), when Apache has sent a part of it already.
    const possible = path === "/crash" ? [502, 503] : [0, 502];
    t.ok(possible.includes(reply.status), `${path}: ${reply.status}`);
    // Sockets of a dying process close one after the other: until the last, Apache may still use one.
    const deaths = new RegExp(`(?:${died}[^]*){${index + 1}}`);
    t.match(await until(apache.sidecarLog, deaths), deaths, "the log names how it ended");
    const replies = await Promise.all([1, 2, 3, 4].map(() => apache.request("/pid")));
    t.same(
      replies.map(({ status }) => status),
      [200, 200, 200, 200],
      "its replacement serves all that follows",
    );
  }
});
