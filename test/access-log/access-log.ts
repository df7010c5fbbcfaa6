import { appendFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { AccessLog } from "../../src/access-log/access-log.ts";
import { logChannel } from "../../src/base/channels.ts";
import { createEngine } from "../../src/engine/phases.ts";
import type { HandlerModule } from "../../src/engine/handler.ts";
import { type ApacheRequest, OK } from "../../src/index.ts";
import { until } from "../fixtures/until.ts";

const now = Date.now() * 1000 + 60_000_000;

function line(uri: string, handler = "log.ts"): string {
  const fields = { connection: "+", client: "::1", peer: "::1", user: "-", remoteUser: "-" };
  const request = `GET ${uri} HTTP/1.1`;
  const entry = {
    ...fields,
    time: now,
    duration: 1,
    status: 200,
    bytes: 0,
    method: "GET",
    request,
  };
  const rest = {
    protocol: "HTTP/1.1",
    uri,
    query: "",
    file: "-",
    type: "-",
    host: "-",
    referer: "-",
  };
  const last = {
    agent: "-",
    id: "-",
    notes: "-",
    handler: "-",
    gateway: "-",
    log: `http\nlog ${handler}`,
  };
  return `${JSON.stringify({ ...entry, ...rest, ...last })}\n`;
}

/** Follows `log` in a directory of its own. */
function start(t: Test, logHandler: (req: ApacheRequest) => unknown) {
  const directory = t.testdir();
  const module: HandlerModule = { exports: { logHandler }, file: "", generation: 1, release() {} };
  const engine = createEngine({
    resolve: () => module,
    fallback: async () => OK,
    handlerTimeout: 60_000,
    application: () => () => OK,
  });
  const file = join(directory, "log");
  const options = { file, positionFile: join(directory, "db"), engine, interpreter: "main" };
  return { file, open: () => new AccessLog(options) };
}

t.test("one reader after the other, in the order of the lines", async (t) => {
  const seen: string[] = [];
  const { file, open } = start(t, (req) => {
    seen.push(req.uri);
    return OK;
  });
  const first = open();
  appendFileSync(file, line("/1") + line("/2"));
  await until(() => seen.join(), "/1,/2");
  const second = open();
  appendFileSync(file, line("/3"));
  await until(() => seen.join(), "/1,/2,/3");
  await first.stop();
  appendFileSync(file, line("/4"));
  await until(() => seen.join(), "/4");
  await second.stop();
  t.strictSame(seen, ["/1", "/2", "/3", "/4"], "each line once");
});

t.test("a handler that waits holds its batch back, and stop waits for it", async (t) => {
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  let ended = 0;
  const { file, open } = start(t, async () => {
    begun += 1;
    await gate.promise;
    ended += 1;
  });
  appendFileSync(file, Array.from({ length: 40 }, (_, index) => line(`/${index}`)).join(""));
  const log = open();
  await until(() => String(begun), "32");
  const stopped = log.stop();
  gate.resolve();
  await stopped;
  t.strictSame([begun, ended], [40, 40], "32 at a time, and all of them");
});

t.test("problems are logged, and reading goes on", async (t) => {
  const codes: unknown[] = [];
  const note = (record: unknown): unknown => codes.push((record as { code?: string }).code);
  logChannel.subscribe(note);
  t.teardown(() => logChannel.unsubscribe(note));
  const seen: string[] = [];
  const { file, open } = start(t, (req) => {
    if (req.uri === "/broken") throw new Error("no");
    seen.push(req.uri);
    return OK;
  });
  const log = open();
  appendFileSync(file, `no JSON\n${line("/broken")}${line("/wrong", "::")}${line("/good")}`);
  await until(() => seen.join(), "/good");
  await log.stop();
  t.strictSame(
    codes.toSorted(),
    ["MODTS_ACCESS_LOG_LINE", "MODTS_BAD_REFERENCE", "MODTS_HANDLER_FAILED"],
    "each with its code",
  );
});
