/** From a run to an answer, with streams in the place of a script. */
import { PassThrough } from "node:stream";
import t from "tap";
import { AnnouncedBody, deliver } from "../../../src/handlers/cgi/deliver.ts";
import { logChannel } from "../../../src/base/channels.ts";
import type { ScriptEnd } from "../../../src/handlers/cgi/process-run.ts";
import { type Answer, serve } from "../../fixtures/exchange-server.ts";

const done: ScriptEnd = { kind: "done", reason: "exit code 0" };

interface Play {
  /** What the script writes, each part on its own. */
  parts?: readonly string[];
  end?: ScriptEnd;
  /** The output stays open, though the script ends. */
  open?: boolean;
  /** The script goes on for ever. */
  endless?: boolean;
}

async function play({
  parts = [],
  end = done,
  open,
  endless,
}: Play): Promise<Answer & { errors: Error[] }> {
  const server = await serve(t, async (req) => {
    const streams = {
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
    };
    const ended = endless ? new Promise<ScriptEnd>(() => {}) : Promise.resolve(end);
    const delivery = { req, run: { ...streams, ended, kill() {} }, script: "/a.ts", timeout: 300 };
    const outcome = deliver(delivery);
    outcome.catch(() => {});
    for (const part of parts) {
      streams.stdout.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!open) streams.stdout.end();
    return outcome;
  });
  return { ...(await server.ask()), errors: server.errors };
}

const head = "Content-Type: text/plain\n\n";

t.test("header and body in any parts", async (t) => {
  t.match(await play({ parts: [`${head}body`] }), { status: 200, body: "body" });
  t.match(await play({ parts: ["Content-", "Type: text/plain\r\n\r", "\nbo", "dy"] }), {
    status: 200,
    body: "body",
  });
  t.match(await play({ parts: [head] }), {
    status: 200,
    body: "",
    headers: { "content-length": "0" },
  });
});

t.test("no header", async (t) => {
  t.match(await play({}), {
    status: 500,
    errors: [{ code: "MODTS_CGI_BAD_HEADER", message: /wrote nothing.*exit code 0/ }],
  });
  t.match(await play({ parts: ["X: 1\n"] }), {
    errors: [{ code: "MODTS_CGI_BAD_HEADER", message: /no complete/ }],
  });
  t.match(await play({ parts: ["garbage\n"], open: true, endless: true }), {
    errors: [{ code: "MODTS_CGI_BAD_HEADER" }],
  });
  t.match(await play({ parts: ["HTTP/1.1 200 OK\n"] }), { errors: [{ code: "MODTS_CGI_NPH" }] });
});

t.test("how the script ends", async (t) => {
  t.match(await play({ parts: [`${head}x`], end: { kind: "failed", reason: "exit code 1" } }), {
    status: 200,
    body: "x",
  });
  const broken: ScriptEnd = { kind: "broken", reason: "signal SIGSEGV" };
  t.match(await play({ parts: [`${head}x`], end: broken }), {
    errors: [{ code: "MODTS_CGI_DIED", message: /SIGSEGV/ }],
  });
  t.match(await play({ end: broken }), { errors: [{ code: "MODTS_CGI_DIED" }] });
});

t.test("silence, and an output that somebody else holds open", async (t) => {
  t.match(await play({ open: true, endless: true }), { errors: [{ code: "MODTS_CGI_TIMEOUT" }] });
  t.match(await play({ parts: [`${head}x`], open: true, endless: true }), {
    complete: false,
    errors: [{ code: "MODTS_CGI_TIMEOUT" }],
  });
  t.match(await play({ parts: [`${head}x`], open: true }), {
    status: 200,
    body: "x",
    complete: true,
    errors: [],
  });
  t.match(await play({ parts: [`${head}x`], endless: true }), {
    status: 200,
    body: "x",
    complete: true,
    errors: [],
  });
});

async function send(length: string | undefined, parts: string[], ask?: string) {
  const server = await serve(t, async (req) => {
    if (length !== undefined) req.headersOut.set("Content-Length", length);
    const body = new AnnouncedBody(req);
    for (const part of parts) await body.write(Buffer.from(part));
    body.requireWhole();
  });
  return { ...(await server.ask(ask)), errors: server.errors };
}

t.test("as announced, or not announced", async (t) => {
  t.match(await send("4", ["ab", "cd"]), {
    body: "abcd",
    headers: { "content-length": "4" },
    errors: [],
  });
  t.match(await send(undefined, ["ab", "cd"]), { body: "abcd", errors: [] });
  t.match(await send("100", ["ab"], "HEAD /"), {
    status: 200,
    headers: { "content-length": "2" },
    errors: [],
  });
});

t.test("too much is dropped, and logged", async (t) => {
  const logged: unknown[] = [];
  const listener = (record: unknown): void => void logged.push(record);
  logChannel.subscribe(listener);
  t.match(await send("3", ["ab", "cd", "ef"]), { body: "abc", headers: { "content-length": "3" } });
  logChannel.unsubscribe(listener);
  t.match(logged, [{ level: "warn", message: /6 bytes.* 3/ }]);
});

t.test("too little is an error", async (t) => {
  t.match(await send("3", ["ab"]), { status: 500, errors: [{ code: "MODTS_LENGTH_MISMATCH" }] });
});
