import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Decisions } from "../../src/decider/decision.ts";
import { digest } from "../../src/engine/changes.ts";
import { Decider, type DeciderOptions } from "../../src/decider/server.ts";
import { createResolver } from "../../src/engine/directives.ts";
import { createEngine } from "../../src/engine/phases.ts";
import { fetchHandler } from "../../src/handlers/applications/fetch.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { type QuestionOptions, questionPairs, scgiRequest } from "../fixtures/scgi.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef";
const calls: string[] = [];
const engine = createEngine({
  resolve: createResolver({
    roots: [],
    load: () => Promise.reject(new Error("no files here")),
    builtins: {
      h: {
        transHandler: (req: ApacheRequest) => {
          calls.push("trans");
          req.uri = "/other place";
          return 0;
        },
        fixupHandler: (req: ApacheRequest) => {
          calls.push(`fixup ${req.method}`);
          if (req.args === "no") return 403;
          req.headersOut.set("X-Ü".replace("Ü", "A"), "ü");
          return 0;
        },
        slow: () => new Promise<number>(() => {}),
        choose: (req: ApacheRequest) => {
          req.handler = "server-status";
          return 0;
        },
      },
    },
  }),
  fallback: () => Promise.resolve(404),
  application: fetchHandler,
  // Longer than any wait here; a handler without end keeps the process for so long.
  handlerTimeout: 2_000,
});

/** Listens until the end of the test; asks it one question at a time. */
async function startDecider(
  t: Test,
  options: Partial<DeciderOptions> = {},
): Promise<{ decider: Decider; ask(options: QuestionOptions | Buffer): Promise<string> }> {
  const decider = new Decider({ engine, interpreter: "main", secret, ...options });
  const path = join(shortFolder(t), "decide.sock");
  const server = createServer((socket) => decider.accept(socket)).listen(path);
  await once(server, "listening");
  t.teardown(() => server.close());
  const ask = async (question: QuestionOptions | Buffer): Promise<string> => {
    const socket = connect(path);
    const bytes = Buffer.isBuffer(question)
      ? question
      : scgiRequest(questionPairs({ secret, lines: ["fixup mod_ts/h"], ...question }));
    socket.write(bytes);
    return (await socket.toArray()).join("");
  };
  return { decider, ask };
}

const header = (answer: string, name: string): string =>
  new RegExp(`^${name}: (.*)\r$`, "m").exec(answer)?.[1] ?? "";

t.test("an answer sends Apache on, to the same path", async (t) => {
  const { ask } = await startDecider(t);
  const answer = await ask({ fields: { uri: "/a b" } });
  t.match(answer, /^Status: 200 OK\r\n/);
  t.equal(header(answer, "Mod-Ts-Location"), "/a%20b?x=1");
  t.equal(header(answer, "X-A"), "ü");
  const subject = {
    requestLine: Buffer.from("GET /a%2Fb?x=1 HTTP/1.1"),
    remoteAddress: "192.0.2.7",
    remotePort: "40000",
  };
  const decision = new Decisions(secret).read(header(answer, "Server"), subject);
  t.match(decision, { depth: 1, judged: [digest("fixup mod_ts/h")], path: Buffer.from("/a b") });
});

t.test("a translation sends it on before any other phase", async (t) => {
  const { ask } = await startDecider(t);
  calls.length = 0;
  const lines = ["trans mod_ts/h", "fixup mod_ts/h"];
  const first = await ask({ lines });
  t.equal(header(first, "Mod-Ts-Location"), "/other%20place?x=1");
  t.strictSame(calls, ["trans"]);
  const decision = header(first, "Server");
  const second = await ask({ lines, decision, fields: { uri: "/other place" } });
  t.strictSame(calls, ["trans", "fixup GET"], "then the phases of the target");
  t.equal(header(second, "Mod-Ts-Location"), "/other%20place?x=1");
  const last = header(second, "Server");
  const third = await ask({ lines, decision: last, fields: { uri: "/other place" } });
  t.match(third, /^Status: 403 /, "what was judged is not judged again");
  t.match(
    await ask({ lines, decision: last }),
    /Location: \/other/,
    "another path is another matter",
  );
});

t.test("what others run does not run here", async (t) => {
  const { ask } = await startDecider(t);
  calls.length = 0;
  t.match(await ask({ lines: ["handler a.ts", "fixup mod_ts/h"] }), /^Mod-Ts-Location/m);
  t.match(await ask({ lines: ["guarded", "fixup mod_ts/h"] }), /^Mod-Ts-Location/m);
  t.strictSame(calls, []);
});

t.test("refusals and failures are responses", async (t) => {
  const { ask } = await startDecider(t, { budget: 1000 });
  t.match(await ask({ fields: { args: "no" } }), /^Status: 403 [^]*<h1>Forbidden/);
  t.match(await ask({ lines: ["fixup mod_ts/none"] }), /^Status: 500 /);
  t.match(await ask({ lines: ["fixup mod_ts/h::slow"] }), /^Status: 503 /);
  t.match(await ask({ lines: ["fixup mod_ts/h::choose"] }), /^Server: .*handler=/m);
  const choose = { lines: ["fixup mod_ts/h::choose"], isSubRequest: true };
  t.match(await ask(choose), /^Status: 500 /, "a part of a page");
  t.match(await ask({ secret: "wrong" }), /^Status: 403 /);
  t.equal(await ask(Buffer.from("GET / HTTP/1.1\r\n")), "");
  t.equal(await ask(Buffer.from("100:")), "", "a question that never comes is closed");
});

t.test("a drain waits for answers", async (t) => {
  const { decider, ask } = await startDecider(t, { budget: 200 });
  await decider.drain();
  const asked = ask({ lines: ["fixup mod_ts/h::slow"] });
  t.match(await asked, /^Status: 503 /);
  await decider.drain();
});

t.test("a flood of unfinished questions holds bounded memory, and stops no question", async (t) => {
  const decider = new Decider({ engine, interpreter: "main", secret, budget: 60_000 });
  const path = join(shortFolder(t), "decide.sock");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    decider.accept(socket);
  }).listen(path);
  await once(server, "listening");
  const flood: Socket[] = [];
  t.teardown(() => {
    for (const socket of flood) socket.destroy();
    server.close();
  });
  const unfinished = `250000:CONTENT_LENGTH\0${"0".repeat(200_000)}`;
  for (let count = 1; count <= 200; count += 1) {
    const socket = connect(path).on("error", () => {});
    flood.push(socket);
    socket.write(unfinished);
    if (count % 20 === 0) await until(() => String(sockets.size), String(count));
  }
  const asked = connect(path);
  asked.end(scgiRequest(questionPairs({ lines: ["fixup mod_ts/h"], secret })));
  t.match(String(await once(asked, "data")), /^Status: 200 /, "a question finds a place");
  const isOpen = (socket: Socket): boolean => !socket.destroyed;
  await until(() => String([...sockets].filter(isOpen).length < 100), "true");
});
