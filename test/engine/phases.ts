/** The engine: order, stacking, outcomes, what fails closed, what runs after the response. */
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import {
  type ApacheRequest,
  DECLINED,
  DONE,
  escapeHtml,
  HttpError,
  OK,
  type PhaseName,
} from "../../src/index.ts";
import { ModTsError } from "../../src/base/errors.ts";
import { phaseNames } from "../../src/engine/handler.ts";
import { internals } from "../../src/request/internals.ts";
import { defaultNames } from "../../src/engine/handler.ts";
import { type GatewayReply, type Peer, startEngine } from "../fixtures/gateway.ts";

/** What ran, in order. */
let trace: string[] = [];

/** A handler that leaves its name in the trace; an authen handler names a user, as it must. */
function step(name: string, outcome: unknown): (req: ApacheRequest) => number {
  return (req) => {
    trace.push(name);
    if (req.phase === "authen") req.user = name;
    return outcome as number;
  };
}

function thrower(name: string, error: unknown): () => never {
  return () => {
    trace.push(name);
    throw error;
  };
}

const module = {
  ...Object.fromEntries(phaseNames.map((phase) => [defaultNames[phase], step(phase, OK)])),
  ok: step("ok", OK),
  okAgain: step("okAgain", OK),
  declined: step("declined", DECLINED),
  done: (req: ApacheRequest) => {
    trace.push("done");
    req.write(escapeHtml("<done>"));
    return DONE;
  },
  forbidden: step("forbidden", 403),
  teapot: step("teapot", 418),
  created: step("created", 201),
  thrownOk: thrower("thrownOk", new HttpError(OK)),
  thrownDeclined: thrower("thrownDeclined", new HttpError(DECLINED)),
  thrownDone: thrower("thrownDone", new HttpError(DONE, { status: 404, body: "own page" })),
  fails: thrower("fails", new Error("broken")),
  content: (req: ApacheRequest) => {
    trace.push("content");
    req.write("content");
    return OK;
  },
  end: step("end", OK),
};

const peer = await startEngine(t, { m: module });

/** Asks, waits for the phases after the response. */
async function run(...lines: string[]): Promise<GatewayReply> {
  return runOn(peer, ...lines);
}

async function runOn(target: Peer, ...lines: string[]): Promise<GatewayReply> {
  trace = [];
  const reply = await target.ask([...lines, "cleanup m::end"]);
  while (trace.at(-1) !== "end") await turn();
  trace.pop();
  return reply;
}

t.test("a handler that waits for nothing is answered at once", async (t) => {
  let isSent: boolean | undefined;
  const quick = await startEngine(t, {
    m: {
      handler(req: ApacheRequest) {
        req.write("x");
        queueMicrotask(() => (isSent = req.headersSent));
      },
    },
  });
  t.equal((await quick.ask(["handler m"])).body, "x");
  t.equal(isSent, true);
});

/** Phases before content, that decide nothing about access. */
const looking: readonly PhaseName[] = ["init", "headerparser", "type", "fixup"];
const guarding: readonly PhaseName[] = ["access", "authen", "authz"];

t.test("every phase once, in order, whatever the order of the configuration", async (t) => {
  trace = [];
  t.equal((await peer.ask(phaseNames.toReversed().map((phase) => `${phase} m`))).status, 200);
  while (trace.at(-1) !== "cleanup") await turn();
  t.strictSame(trace, phaseNames);
});

t.test("OK and DECLINED, returned or thrown, let a list go on where all run", async (t) => {
  const list = ["declined", "ok", "thrownOk", "thrownDeclined", "okAgain"];
  const text = list.map((name) => `m::${name}`).join(" ");
  for (const phase of ["init", "headerparser", "access", "fixup"]) {
    t.equal((await run(`${phase} ${text}`, "handler m::content")).body, "content", phase);
    t.strictSame(trace, [...list, "content"], phase);
  }
  t.equal((await run(`handler ${text}`)).status, 200);
  t.strictSame(trace, list, "handler: as the manual of mod_python has it");
  await run("handler m::content", `log ${text}`);
  t.strictSame(trace, ["content", ...list], "log");
});

t.test("the first OK ends the list of authen, authz and type", async (t) => {
  for (const phase of ["authen", "authz", "type"]) {
    const lines = [`${phase} m::declined m::ok m::ok m::forbidden`, "handler m::content"];
    t.equal((await run(...lines)).body, "content", phase);
    t.strictSame(trace, ["declined", "ok", "content"], phase);
  }
});

t.test(
  "DONE of any phase ends the request with what was written; it is still logged",
  async (t) => {
    for (const phase of [...looking, ...guarding]) {
      const reply = await run(`${phase} m::done m::ok`, "handler m::content", "log m");
      t.match(reply, { status: 200, body: "&lt;done&gt;" }, phase);
      t.strictSame(trace, ["done", "log"], phase);
    }
  },
);

t.test("a status of any phase is the answer; later handlers and phases do not run", async (t) => {
  for (const phase of [...looking, ...guarding]) {
    const lines = [`${phase} m::declined m::forbidden m::ok`, "handler m::content", "log m"];
    t.equal((await run(...lines)).status, 403, phase);
    t.strictSame(trace, ["declined", "forbidden", "log"], phase);
  }
  t.equal((await run("handler m::teapot m::content")).status, 418);
  t.strictSame(trace, ["teapot"]);
  t.equal((await run("fixup m::created", "handler m::content")).status, 201);
  t.strictSame(trace, ["created"], "even a status of success is no OK");
});

t.test("an exception in any phase is a 500 that names phase and handler in the log", async (t) => {
  for (const phase of [...looking, ...guarding]) {
    const before = peer.log().length;
    const reply = await run(`${phase} m::fails`, "handler m::content", "log m");
    t.equal(reply.status, 500, phase);
    t.notMatch(reply.body, "broken");
    t.strictSame(trace, ["fails", "log"], phase);
    t.match(peer.log().slice(before), `m::fails failed in phase ${phase}`);
  }
});

t.test("a thrown outcome carries a status and a body of its own", async (t) => {
  const reply = await run("fixup m::thrownDone", "handler m::content");
  t.match(reply, { status: 404, body: "own page" });
});

t.test("when all handlers decline", async (t) => {
  for (const phase of looking) {
    t.equal((await run(`${phase} m::declined`, "handler m::content")).body, "content", phase);
  }
  const refusals = { access: 403, authen: 500, authz: 403 };
  for (const [phase, status] of Object.entries(refusals)) {
    for (const name of ["declined", "thrownDeclined"]) {
      const reply = await run(`${phase} m::${name}`, "handler m::content");
      t.equal(reply.status, status, `${phase} ${name}`);
      t.strictSame(trace, [name], phase);
    }
  }
  t.match(peer.log(), "MODTS_AUTHEN_DECLINED");
  t.equal((await run("handler m::declined")).status, 404, "the fallback answers");
});

t.test("a list for other extensions: nothing to run, and so nobody who says OK", async (t) => {
  for (const phase of [...looking, ...guarding]) {
    const lines = [`${phase} m::forbidden | .html`, "handler m::content"];
    const { status } = await run(...lines);
    // report.2026.html has the extension .2026.html: a guard for .html alone must not let it pass.
    if (looking.includes(phase)) t.equal(status, 200, phase);
    else t.not(status, 200, phase);
    const html = await peer.ask(lines, { context: { filename: "/srv/www/a.html" } });
    t.equal(html.status, 403, phase);
  }
});

t.test("what is written before DECLINED is not mixed with what the fallback answers", async (t) => {
  const target = await startEngine(
    t,
    { m: { ...module, half: (req: ApacheRequest) => (req.write("half"), DECLINED) } },
    { fallback: async (req) => (req.write("file"), OK) },
  );
  t.equal((await runOn(target, "handler m::half")).body, "file");
});

t.test("an authen handler that says OK names the user, however it says it", async (t) => {
  const target = await startEngine(t, {
    m: {
      ...module,
      nobody: () => OK,
      thrown: () => {
        throw new HttpError(OK);
      },
      later: (req: ApacheRequest) => {
        req.user = "ann";
        throw new HttpError(OK);
      },
    },
  });
  for (const name of ["nobody", "thrown"]) {
    t.equal((await runOn(target, `authen m::${name}`, "handler m::content")).status, 500, name);
    t.strictSame(trace, []);
  }
  t.match(target.log(), /MODTS_NO_USER: authen handler m::thrown/);
  t.equal((await runOn(target, "authen m::later", "handler m::content")).body, "content");
});

t.test("a thrown outcome is judged like a returned one", async (t) => {
  const target = await startEngine(t, {
    m: { ...module, handler: (req: ApacheRequest) => throwOutcome(Number(req.args)) },
  });
  for (const outcome of [42, 99, 100, 199, 600, -3]) {
    const reply = await target.ask(["handler m"], { context: { args: String(outcome) } });
    t.equal(reply.status, 500, `${outcome}`);
    t.match(target.records.at(-1), { code: "MODTS_BAD_OUTCOME" }, `${outcome}`);
  }
});

function throwOutcome(outcome: number): never {
  throw new HttpError(outcome);
}

t.test("the phase and the handler that run are known", async (t) => {
  const seen: unknown[] = [];
  const look = (req: ApacheRequest): number => {
    seen.push([req.phase, req.handlerEntry?.handler]);
    if (req.phase === "fixup") req.registerCleanup(() => seen.push(req.phase));
    return OK;
  };
  const target = await startEngine(t, { m: { ...module, look } });
  await runOn(target, "fixup m::look", "handler m::look", "log m::look");
  const own = ["fixup", "handler", "log"].map((phase) => [phase, "m::look"]);
  t.strictSame(seen, [...own, null]);
});

t.test("log and cleanup come after the response, and cannot harm it", async (t) => {
  const target = await startEngine(t, {
    m: {
      ...module,
      look: (req: ApacheRequest) => {
        trace.push(`${req.bytesSent} bytes`);
        return OK;
      },
      late: (req: ApacheRequest) => (req.write("late"), OK),
    },
  });
  const lines = ["handler m::content", "log m::look m::late m::look", "cleanup m::fails"];
  t.match(await runOn(target, ...lines.slice(0, 2)), { status: 200, body: "content" });
  t.strictSame(trace, ["content", "7 bytes"], "a failure ends the list");
  t.match(target.log(), "MODTS_RESPONSE_ENDED");
  trace = [];
  t.equal(
    (await target.ask(["handler m::content", "log m::fails", "cleanup m::fails"])).status,
    200,
  );
  while (trace.length < 3) await turn();
  await turn();
  t.match(target.log(), "m::fails failed in phase log");
  t.match(target.log(), "m::fails failed in phase cleanup");
});

t.test(
  "registered cleanups: last one first, then cleanup handlers; none stops another",
  async (t) => {
    const target = await startEngine(t, {
      m: {
        ...module,
        handler: (req: ApacheRequest) => {
          req.registerCleanup((text) => trace.push(`first ${String(text)}`), "data");
          req.registerCleanup(() => Promise.reject(new Error("cleanup-broken")));
          req.registerCleanup(() => {
            trace.push("last");
            req.registerCleanup(() => trace.push("registered by a cleanup"));
          });
          return 404;
        },
        more: (req: ApacheRequest) => {
          trace.push("more");
          req.registerCleanup(() => trace.push("registered by a cleanup handler"));
          return OK;
        },
      },
    });
    t.equal((await runOn(target, "handler m", "log m", "cleanup m")).status, 404);
    trace = [];
    await target.ask(["handler m", "log m", "cleanup m m::end"]);
    while (trace.at(-1) !== "end") await turn();
    t.strictSame(trace, ["log", "last", "registered by a cleanup", "first data", "cleanup", "end"]);
    t.match(target.log(), /registered cleanup failed in phase cleanup[^]*cleanup-broken/);
    trace = [];
    await target.ask(["handler m::content", "cleanup m::more"]);
    for (let turns = 0; turns < 100 && trace.length < 3; turns += 1) await turn();
    t.strictSame(trace, ["content", "more", "registered by a cleanup handler"]);
  },
);

t.test("addHandler: the running phase and later ones, after those configured", async (t) => {
  const target = await startEngine(t, {
    m: {
      ...module,
      add: (req: ApacheRequest) => {
        trace.push("add");
        req.addHandler("fixup", "m::ok");
        req.addHandler("handler", (again) => {
          trace.push("function");
          again.write(" added");
          return OK;
        });
        req.addHandler("log", "m::logHandler");
        return OK;
      },
    },
  });
  const lines = ["fixup m::add m::declined", "handler m::content"];
  t.equal((await runOn(target, ...lines)).body, "content added");
  t.strictSame(trace, ["add", "declined", "ok", "content", "function", "log"]);
  t.equal((await runOn(target, "handler m::content")).body, "content", "for that request alone");
});

t.test("addHandler: bad phases at once, bad targets when they are reached", async (t) => {
  const caught: unknown[] = [];
  const attempt = (act: () => void): void => {
    try {
      act();
      caught.push("fine");
    } catch (error) {
      caught.push((error as { code?: string }).code);
    }
  };
  const target = await startEngine(t, {
    m: {
      ...module,
      add: (req: ApacheRequest) => {
        for (const phase of ["init", "none", "constructor"]) {
          attempt(() => req.addHandler(phase as PhaseName, "m::ok"));
        }
        for (const handler of [undefined, null, 7, ""]) {
          attempt(() => req.addHandler("handler", handler as unknown as string));
        }
        attempt(() => req.addHandler("handler", "m::missing"));
        return OK;
      },
    },
  });
  const reply = await runOn(target, "fixup m::add", "handler m::content", "log m");
  t.strictSame(caught.slice(0, 3), Array(3).fill("MODTS_BAD_PHASE"));
  t.strictSame(caught.slice(3, 6), Array(3).fill("MODTS_BAD_ARGUMENT"));
  t.match(caught[6], /MODTS_BAD/, "an empty name");
  t.equal(caught[7], "fine");
  t.equal(reply.status, 500);
  t.strictSame(trace, ["content", "log"], "the configured handler ran before");
  t.match(target.log(), "MODTS_MISSING_EXPORT: mod_ts/m has no export named missing");
});

t.test("a handler that takes too long: 504, and the content does not follow", async (t) => {
  const target = await startEngine(
    t,
    { m: { ...module, hangs: () => new Promise(() => {}) } },
    { handlerTimeout: 30 },
  );
  for (const phase of ["access", "fixup", "handler"]) {
    const lines = [`${phase} m::hangs`, ...(phase === "handler" ? [] : ["handler m::content"])];
    t.equal((await runOn(target, ...lines, "log m")).status, 504, phase);
    t.strictSame(trace, ["log"]);
    t.match(target.log(), `m::hangs did not finish within 30 ms in phase ${phase}`);
  }
});

t.test("every version that a request began with is released once, whatever happens", async (t) => {
  let held = 0;
  const resolve = (): never | object => {
    held += 1;
    return { exports: module, file: "m", generation: 1, release: () => (held -= 1) };
  };
  const target = await startEngine(t, {}, { resolve: resolve as never });
  for (const name of ["content", "fails", "declined", "forbidden", "missing"]) {
    await runOn(target, "init m::ok m::ok", `handler m::${name}`, "log m::fails");
    await turn();
    t.equal(held, 0, name);
  }
});

t.test("a WebSocket handshake that a phase refuses is answered like a request", async (t) => {
  const target = await startEngine(t, { m: module, socket: { webSocketHandler() {} } });
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
  };
  const refused = await target.ask(["access m::forbidden", "handler m"], { headers: upgrade });
  t.equal(refused.status, 403);
  const missing = await target.ask(["handler m"], { headers: upgrade });
  t.equal(missing.status, 400);
  t.match(target.log(), "MODTS_NO_WEBSOCKET");
  const guarded = await target.ask(["handler m::forbidden socket"], { headers: upgrade });
  t.equal(guarded.status, 403, "a content handler that stands before the one with the socket");
});

t.test("a WebSocket whose path a handler changes passes no phase by", async (t) => {
  const moving = {
    transHandler: (req: ApacheRequest) => ((req.uri = "/elsewhere"), 0),
    webSocketHandler() {},
  };
  const target = await startEngine(t, { m: module, moving });
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
  };
  const lines = ["trans moving", "access m::forbidden", "handler moving"];
  t.equal((await target.ask(lines, { headers })).status, 400);
  t.match(target.log(), /MODTS_NO_WEBSOCKET.*another path/);
});

t.test(
  "what handlers have begun is settled before the answer, and its failure is the answer",
  async (t) => {
    const settling = (name: string, error?: Error) => (req: ApacheRequest) => {
      const settle = async (isGood: boolean): Promise<void> => {
        trace.push(`${name} ${isGood} ${req.headersSent}`);
        if (error) throw error;
      };
      req[internals].finalizer = { settle, close: () => {} };
      req.write("content");
      return OK;
    };
    const target = await startEngine(t, {
      m: {
        ...module,
        good: settling("good"),
        stream: () => new Response(new ReadableStream({ cancel: () => void trace.push("cancel") })),
        page: thrower("page", new HttpError(500, { cause: new ModTsError("MODTS_PAGE_FAILED") })),
        lost: settling("lost", new ModTsError("MODTS_SESSION_LOST", { reason: "gone" })),
      },
    });
    t.match(await runOn(target, "handler m::good"), { status: 200, body: "content" });
    t.strictSame(trace, ["good true false"]);
    await turn();
    trace = [];
    t.equal((await target.ask(["fixup m::good", "handler m::fails"])).status, 500);
    t.strictSame(trace.slice(0, 2), ["fails", "good false false"]);
    t.equal((await target.ask(["fixup m::good", "handler m::forbidden"])).status, 403);
    t.ok(trace.includes("good true false"), "a refusal is no failure");
    t.match(await runOn(target, "fixup m::good", "handler m::page"), { status: 500 });
    t.strictSame(trace, ["page", "good false false"], "nor is an error page a success");
    const lost = await target.ask(["handler m::lost"]);
    t.equal(lost.status, 503);
    t.notMatch(lost.body, "content");
    t.match(target.log(), "MODTS_SESSION_LOST: session cannot be saved: gone");
    t.equal((await runOn(target, "fixup m::lost", "handler m::stream")).status, 503);
    t.strictSame(trace, ["lost true false", "cancel"], "a response that is not sent");
  },
);
