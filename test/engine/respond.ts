/** From the way a request ended to what the client gets and what the log says. */
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { DECLINED, DONE, HttpError, OK, type ApacheRequest } from "../../src/index.ts";
import { counter } from "../../src/base/counts.ts";
import { ModTsError } from "../../src/base/errors.ts";
import { type GatewayAsk, type GatewayReply, startEngine } from "../fixtures/gateway.ts";

type Act = (req: ApacheRequest) => unknown;

const acts: Record<string, Act> = {};
const peer = await startEngine(t, { m: { handler: (req: ApacheRequest) => acts["now"]?.(req) } });

/** The answer to a handler that does this. */
function answer(act: Act, ask: GatewayAsk = {}): Promise<GatewayReply> {
  acts["now"] = act;
  return peer.ask(["handler m"], ask);
}

/** The last line of the log, and how many there are since. */
async function logged(act: Act): Promise<{ reply: GatewayReply; log: string }> {
  const before = peer.log().length;
  const reply = await answer(act);
  return { reply, log: peer.log().slice(before) };
}

/** The answer to a handler that throws this. */
function throws(...init: ConstructorParameters<typeof HttpError>): Promise<GatewayReply> {
  return answer(() => {
    throw new HttpError(...init);
  });
}

t.test("success: what was written, with the status that was set or given", async (t) => {
  t.match(await answer((req) => (req.write("a"), OK)), { status: 200, body: "a" });
  t.match(await answer((req) => (req.write("a"), DONE)), { status: 200, body: "a" });
  t.match(await answer((req) => (req.write("a"), 201)), { status: 201, body: "a" });
  t.match(await answer((req) => ((req.status = 404), req.write("own"), OK)), {
    status: 404,
    body: "own",
  });
});

t.test("an error status: our page in place of what was written", async (t) => {
  const reply = await answer((req) => {
    req.headersOut.set("X-Out", "1").set("ETag", '"1"');
    req.errHeadersOut.add("Set-Cookie", "a=1").add("Set-Cookie", "b=2");
    req.contentType = "image/png";
    req.write("half");
    return 404;
  });
  t.equal(reply.status, 404);
  t.match(reply.body, /^<!DOCTYPE html>[^]*<h1>Not Found<\/h1>/);
  t.notMatch(reply.body, "half");
  t.equal(reply.headers["content-type"], "text/html; charset=utf-8");
  t.equal(reply.headers["content-length"], String(Buffer.byteLength(reply.body)));
  t.equal(reply.headers["x-out"], undefined);
  t.equal(reply.headers.etag, undefined);
  t.strictSame(reply.headers["set-cookie"], ["a=1", "b=2"]);
});

t.test("thrown: status, headers and body of the error", async (t) => {
  t.match(await throws(404), { status: 404, body: /Not Found/ });
  t.match(await throws(409, { body: "taken" }), {
    status: 409,
    body: "taken",
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
  t.match(await throws(404, { status: 410 }), { status: 410, body: /<h1>Gone/ });
  t.match(await throws(201, { body: "made" }), { status: 201, body: "made" });
  t.match(await throws(DONE, { status: 503, body: "own" }), { status: 503, body: "own" });
  t.match(await throws(OK, { body: "fine" }), { status: 200, body: "fine" });
  const typed = await throws(422, { body: "{}", headers: { "content-type": "application/json" } });
  t.match(typed, { status: 422, body: "{}" });
  t.equal(typed.headers["content-type"], "application/json");
  const see = await throws(302, { headers: { Location: "/b", "set-cookie": ["a=1", "b=2"] } });
  t.match(see, { status: 302, headers: { location: "/b", "set-cookie": ["a=1", "b=2"] } });
});

t.test("a redirect keeps its Location, 304 its validators", async (t) => {
  const redirected = await answer((req) => (req.headersOut.set("Location", "/b"), 301));
  t.match(redirected, { status: 301, headers: { location: "/b" } });
  const unchanged = await answer((req) => (req.headersOut.set("ETag", '"1"'), 304));
  t.match(unchanged, { status: 304, body: "", headers: { etag: '"1"' } });
});

t.test("401 comes with a challenge, unless the handler has its own", async (t) => {
  const reply = await answer(() => 401);
  t.match(reply.headers, { "www-authenticate": /^Basic realm="/ });
  const own = await answer((req) => (req.errHeadersOut.set("WWW-Authenticate", "Bearer"), 401));
  t.equal(own.headers["www-authenticate"], "Bearer");
  acts["now"] = () => 401;
  const quoted = await peer.ask(["handler m", 'option realm a "b" \\c']);
  t.equal(quoted.headers["www-authenticate"], 'Basic realm="a \\"b\\" \\\\c"');
  t.equal((await answer(() => 403)).headers["www-authenticate"], undefined);
});

t.test("a failure: the page of its status, which tells nothing but the reference", async (t) => {
  const { reply, log } = await logged(() => {
    throw new TypeError("secret-detail", { cause: new Error("deeper") });
  });
  t.equal(reply.status, 500);
  t.match(reply.body, "Reference: id-1");
  t.notMatch(reply.body, /secret|deeper|TypeError/);
  t.match(
    log,
    /^\[.*\] \[mod_ts:error\] \[pid \d+\] \[client 192\.0\.2\.7:40000\] MODTS_HANDLER_FAILED/,
  );
  t.match(log, /m failed in phase handler \[id id-1\]/);
  t.match(log, /TypeError: secret-detail[^]*caused by Error: deeper/);
});

t.test("our own errors keep their status, name the handler, and show its line", async (t) => {
  const { reply, log } = await logged((req) => (req.status = 42));
  t.equal(reply.status, 500);
  t.match(
    log,
    "MODTS_BAD_ARGUMENT: invalid argument for status: 42 is not a final HTTP status (m in phase handler)",
  );
  const large = await logged(async (req) => void (await req.read()));
  t.equal(large.log, "");
  acts["now"] = async (req) => void (await req.read());
  const tooLarge = await peer.ask(["handler m"], { method: "POST", body: "x".repeat(70_000) });
  t.equal(tooLarge.status, 413);
});

t.test("a service that is down is one line, without the frames of Node.js", async (t) => {
  const { log } = await logged(async () => {
    const cause = await new Promise((resolve) => connect("/no/such.sock").once("error", resolve));
    throw new ModTsError("MODTS_AUTH_SERVICE_DOWN", { url: "http://a", reason: "x" }, { cause });
  });
  t.match(log, /^.* MODTS_AUTH_SERVICE_DOWN: .* \[id id-1\]\n$/);
});

t.test("whatever is thrown", async (t) => {
  for (const thrown of [undefined, null, "text", 404, {}, Symbol("s"), Object.create(null)]) {
    const reply = await answer(() => {
      throw thrown;
    });
    t.equal(reply.status, 500);
  }
});

t.test("after the headers have left, a failure cuts the answer off and is logged", async (t) => {
  const late: [string, Act, RegExp][] = [
    [
      "throws",
      () => {
        throw new Error("too late");
      },
      /too late/,
    ],
    ["returns a status", () => 404, /MODTS_HEADERS_SENT: the status can no longer be changed/],
    ["declines", () => DECLINED, /MODTS_HEADERS_SENT/],
    [
      "throws an outcome",
      () => {
        throw new HttpError(503);
      },
      /MODTS_HEADERS_SENT/,
    ],
    ["is no number", () => "ok", /MODTS_BAD_OUTCOME/],
  ];
  for (const [name, act, line] of late) {
    const { reply, log } = await logged(async (req) => {
      req.write("begun");
      await req.flush();
      // Node holds the bytes back until the end of the turn.
      await turn();
      return act(req);
    });
    t.match(reply, { status: 200, body: "begun", complete: false }, name);
    t.match(log, line, name);
  }
});

t.test("a Response that cannot be sent is a failure, not a lost connection", async (t) => {
  const shared = new Response("once");
  await shared.text();
  const failing = (): Response => {
    const start = (stream: ReadableStreamDefaultController): void => stream.error(new Error("no"));
    return new Response(new ReadableStream({ start }), { headers: { "x-of-it": "1" } });
  };
  const cases: [string, () => Response, RegExp][] = [
    ["was read", () => shared, /MODTS_BAD_ARGUMENT: .*read already/],
    ["fails at once", failing, /no \(m in phase handler\)/],
    [
      "has a header too long",
      () => new Response("x", { headers: { x: "y".repeat(20_000) } }),
      /MODTS_BAD_HEADER/,
    ],
  ];
  for (const [name, make, line] of cases) {
    const { reply, log } = await logged((req) => (req.write("before"), make()));
    t.match(reply, { status: 500, complete: true, headers: { "x-of-it": undefined } }, name);
    t.notMatch(reply.body, "before");
    t.match(log, line, name);
  }
});

t.test("after the headers have left, the same status is no news", async (t) => {
  for (const outcome of [200, 206, 404]) {
    const { reply, log } = await logged(async (req) => {
      req.status = outcome;
      req.write("begun");
      await req.flush();
      return outcome;
    });
    t.match(reply, { status: outcome, body: "begun", complete: true });
    t.equal(log, "");
  }
});

t.test("a client that has gone is no failure", async (t) => {
  const ended = new Promise<void>((resolve) => {
    acts["now"] = async (req) => {
      req.registerCleanup(() => resolve());
      req.write("begun");
      await req.flush();
      await new Promise((done) => req.signal.addEventListener("abort", done));
      throw new Error("nobody listens");
    };
  });
  const before = peer.log().length;
  await peer.ask(["handler m"], { leave: true });
  await ended;
  t.equal(peer.log().slice(before), "");
});

t.test("after the headers have left, a module's 401 has no challenge", async (t) => {
  const site = {
    async handler(req: ApacheRequest) {
      await req.flush();
      return 401;
    },
  };
  const behind = await startEngine(t, { site });
  t.match(await behind.ask(["module site"]), { status: 200, complete: false });
  t.match(behind.log(), "MODTS_HEADERS_SENT");
  t.equal(counter.active, 0);
});
