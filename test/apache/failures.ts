/** What goes wrong in handlers: the status, the log line, and nothing of it in the page. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { gateConf, gateModule } from "../fixtures/gate.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { logSince } from "../fixtures/log-since.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const locations = {
  "missing-export": "all.ts::nothing",
  "not-callable": "all.ts::text",
  "missing-file": "none.ts",
  outside: "../../outside.ts",
  absolute: "/etc/passwd.ts",
  linked: "linked.ts",
  prototype: "all.ts::__proto__",
  inherited: "all.ts::toString",
  "bad-reference": "a.ts::b::c",
  "unknown-builtin": "mod_ts/none",
  throws: "all.ts::throws",
  rejects: "all.ts::rejects",
  "throws-nothing": "all.ts::throwsUndefined",
  boolean: "all.ts::boolean",
  text: "all.ts::returnsText",
  number: "all.ts::number",
  silent: "all.ts::silent",
  syntax: "syntax.ts",
  "top-level": "top-level.ts",
  late: "all.ts::late",
  fine: "all.ts::fine",
};

const apache = await startApache(t, {
  conf:
    gateConf +
    Object.entries(locations)
      .map(([name, handler]) => `<Location "/${name}">\nUse TsHandler "${handler}"\n</Location>`)
      .join("\n"),
  config: { limits: { handlerTimeout: 500 } },
  handlers: {
    "gate.ts": gateModule,
    "all.ts": handlerFile("failures-all.ts"),
    "syntax.ts": "export function handler( {\n",
    "top-level.ts": `export const handler = 1;\nthrow new Error("top-level-detail");\n`,
  },
});

writeFileSync(join(apache.folder, "outside.ts"), "export const handler = () => 0;");
symlinkSync("../outside.ts", join(apache.folder, "handlers/linked.ts"));

/** Asks, and gives what the log of the sidecar says of it, once it says that. */
async function fail(
  name: string,
  line: RegExp,
): Promise<{ status: number; body: string; log: string }> {
  const logged = logSince(apache.sidecarLog);
  const { status, body } = await apache.request(`/${name}`);
  return { status, body, log: await logged(line) };
}

const expected: [keyof typeof locations, number, string, RegExp][] = [
  ["missing-export", 500, "MODTS_MISSING_EXPORT", /all\.ts has no export named nothing/],
  ["not-callable", 500, "MODTS_NOT_CALLABLE", /text of .*all\.ts is "text"/],
  ["missing-file", 500, "MODTS_HANDLER_NOT_FOUND", /none\.ts/],
  ["outside", 500, "MODTS_OUTSIDE_ROOTS", /outside\.ts is outside the handler directories \//],
  ["absolute", 500, "MODTS_OUTSIDE_ROOTS", /\/etc\/passwd\.ts/],
  ["linked", 500, "MODTS_OUTSIDE_ROOTS", /outside\.ts/],
  ["prototype", 500, "MODTS_MISSING_EXPORT", /__proto__/],
  ["inherited", 500, "MODTS_MISSING_EXPORT", /toString/],
  ["bad-reference", 500, "MODTS_BAD_REFERENCE", /a\.ts::b::c/],
  ["unknown-builtin", 500, "MODTS_UNKNOWN_BUILTIN", /mod_ts\/none.*mod_ts\/test-page/],
  ["throws", 500, "MODTS_HANDLER_FAILED", /TypeError: secret-detail[^]*all\.ts:6:/],
  ["rejects", 500, "MODTS_HANDLER_FAILED", /secret-detail[^]*all\.ts:9:/],
  ["throws-nothing", 500, "MODTS_HANDLER_FAILED", /all\.ts::throwsUndefined/],
  ["boolean", 500, "MODTS_BAD_OUTCOME", /returned true in phase handler/],
  ["text", 500, "MODTS_BAD_OUTCOME", /returned "ok"/],
  ["number", 500, "MODTS_BAD_OUTCOME", /returned 42/],
  ["silent", 504, "MODTS_HANDLER_TIMEOUT", /all\.ts::silent.*500 ms in phase handler/],
  ["syntax", 500, "MODTS_BUILD_FAILED", /syntax\.ts:2/],
  ["top-level", 500, "MODTS_BUILD_FAILED", /top-level-detail/],
];

for (const [name, status, code, line] of expected) {
  t.test(`${name}: ${code}`, async (t) => {
    const reply = await fail(name, line);
    t.equal(reply.status, status, `status of ${name}`);
    t.match(reply.log, code);
    t.match(reply.log, line);
    t.match(reply.log, /^\[.*\] \[mod_ts:error\] \[pid \d+\] \[client 127\.0\.0\.1:\d+\] MODTS/m);
    for (const leak of [apache.folder, "detail", ".ts", "node_modules", "at "]) {
      t.notMatch(
        reply.body.replace(/<[^>]+>|what says|at this/g, ""),
        leak,
        `no ${leak} in the page`,
      );
    }
  });
}

t.test("a failure after the headers have left cuts the answer off", async (t) => {
  const client = new RawClient(apache.port).head("GET /late HTTP/1.1", "Connection: close");
  await client.until(/begun/);
  await apache.request("/gate");
  const reply = await client.closed;
  t.notMatch(reply, /\r\n0\r\n\r\n$/, "no last chunk: nobody takes this for a whole answer");
});

t.test("none of this ended the process", async (t) => {
  t.match(await apache.request("/fine"), { status: 200, body: "fine" });
  t.notMatch(apache.sidecarLog(), "MODTS_WORKER_DIED");
});
