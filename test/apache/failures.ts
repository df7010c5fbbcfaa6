/** What goes wrong in handlers: the status, the log line, and nothing of it in the page. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { logSince } from "../fixtures/log-since.ts";

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
  conf: Object.entries(locations)
    .map(([name, handler]) => `<Location "/${name}">\nUse TsHandler "${handler}"\n</Location>`)
    .join("\n"),
  config: { limits: { handlerTimeout: 500 } },
  handlers: {
    "all.ts": `
      import { OK, type ApacheRequest } from "mod-ts";
      export const text = "text";
      export function throws() { throw new TypeError("secret-detail"); }
      export async function rejects() { throw new Error("secret-detail"); }
      export function throwsUndefined() { throw undefined; }
      export const boolean = () => true;
      export const returnsText = () => "ok";
      export const number = () => 42;
      export const silent = () => new Promise(() => {});
      export const late = async (req: ApacheRequest) => { req.write("begun"); await req.flush(); await new Promise((done) => setTimeout(done, 300)); throw new Error("after the flush"); };
      export const fine = (req: ApacheRequest) => { req.write("fine"); return OK; };
    `,
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
  ["outside", 500, "MODTS_OUTSIDE_ROOTS", /outside\.ts lies outside the allowed folders: \//],
  ["absolute", 500, "MODTS_OUTSIDE_ROOTS", /\/etc\/passwd\.ts/],
  ["linked", 500, "MODTS_OUTSIDE_ROOTS", /outside\.ts/],
  ["prototype", 500, "MODTS_MISSING_EXPORT", /__proto__/],
  ["inherited", 500, "MODTS_MISSING_EXPORT", /toString/],
  ["bad-reference", 500, "MODTS_BAD_REFERENCE", /a\.ts::b::c/],
  ["unknown-builtin", 500, "MODTS_UNKNOWN_BUILTIN", /mod_ts\/none.*mod_ts\/test-page/],
  ["throws", 500, "MODTS_HANDLER_FAILED", /TypeError: secret-detail[^]*all\.ts:4:/],
  ["rejects", 500, "MODTS_HANDLER_FAILED", /secret-detail[^]*all\.ts:5:/],
  ["throws-nothing", 500, "MODTS_HANDLER_FAILED", /all\.ts::throwsUndefined/],
  ["boolean", 500, "MODTS_BAD_OUTCOME", /gave true in phase handler/],
  ["text", 500, "MODTS_BAD_OUTCOME", /gave "ok"/],
  ["number", 500, "MODTS_BAD_OUTCOME", /gave 42/],
  ["silent", 504, "MODTS_HANDLER_TIMEOUT", /all\.ts::silent.*500 ms in phase handler/],
  ["syntax", 500, "MODTS_BUILD_FAILED", /syntax\.ts:2/],
  ["top-level", 500, "MODTS_BUILD_FAILED", /top-level-detail/],
];

for (const [name, status, code, line] of expected) {
  t.test(`${name}: ${code}`, async (t) => {
    const reply = await fail(name, line);
    t.equal(reply.status, status);
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
  const reply = await apache.raw("GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  t.match(reply, /begun/);
  t.notMatch(reply, /\r\n0\r\n\r\n$/, "no last chunk: nobody takes this for a whole answer");
});

t.test("none of this ended the process", async (t) => {
  t.match(await apache.request("/fine"), { status: 200, body: "fine" });
  t.notMatch(apache.sidecarLog(), "MODTS_WORKER_DIED");
});
