/** Access, authen and authz fail closed: whatever such a handler does, only its OK lets a request reach the content. */
import t from "tap";
import { startWorker } from "../fixtures/gateway.ts";

const content = "the content that is guarded";

const worker = await startWorker(
  t,
  {
    "content.ts": `export function handler(req) { req.write(${JSON.stringify(content)}); }`,
    "guard.ts": `
      import { DECLINED, DONE, HttpError, OK, type ApacheRequest } from "mod-ts";
      export const ok = (req: ApacheRequest) => { req.user = "ann"; return OK; };
      export const okLater = async (req: ApacheRequest) => { req.user = "ann"; return OK; };
      export const silent = () => {};
      export const silentLater = async () => {};
      export const returnsNull = () => null;
      export const yes = () => true;
      export const no = () => false;
      export const text = () => "ok";
      export const zero = () => "0";
      export const list = () => [0];
      export const object = () => ({ valueOf: () => 0 });
      export const number = () => 42;
      export const nan = () => NaN;
      export const big = () => 0n;
      export const response = () => new Response("let me in");
      export const nested = () => () => OK;
      export const throws = () => { throw new Error("broken"); };
      export const rejects = async () => { throw new Error("broken"); };
      export const throwsNothing = () => { throw undefined; };
      export const throwsZero = () => { throw 0; };
      export const throwsLookalike = () => { throw { name: "HttpError", outcome: 0 }; };
      export const throwsDeclined = () => { throw new HttpError(DECLINED); };
      export const throws403 = () => { throw new HttpError(403); };
      export const hangs = () => new Promise(() => {});
      export const neverThens = () => ({ then() {} });
      export const declined = () => DECLINED;
      export const done = () => DONE;
      export const success = () => 200;
      export const created = () => 201;
      export const forbidden = () => 403;
      export const notCallable = "ok";
      export class Empty {}
      export class Throwing { constructor() { throw new Error("broken"); } accessHandler() { return OK; } authenHandler() { return OK; } authzHandler() { return OK; } }
    `,
    "syntax.ts": "export function accessHandler( {",
    "throws-at-load.ts":
      "export const accessHandler = () => 0, authenHandler = accessHandler, authzHandler = accessHandler; throw new Error('no');",
    "imports-nothing.ts":
      "import './nowhere.ts'; export const accessHandler = () => 0, authenHandler = accessHandler, authzHandler = accessHandler;",
  },
  { limits: { handlerTimeout: 50 } },
);

/** A guard, the status it leads to in the three phases, and the code in the log. */
const guards: Record<string, [status: number, code?: string]> = {
  silent: [500, "MODTS_BAD_OUTCOME"],
  silentLater: [500, "MODTS_BAD_OUTCOME"],
  returnsNull: [500, "MODTS_BAD_OUTCOME"],
  yes: [500, "MODTS_BAD_OUTCOME"],
  no: [500, "MODTS_BAD_OUTCOME"],
  text: [500, "MODTS_BAD_OUTCOME"],
  zero: [500, "MODTS_BAD_OUTCOME"],
  list: [500, "MODTS_BAD_OUTCOME"],
  object: [500, "MODTS_BAD_OUTCOME"],
  number: [500, "MODTS_BAD_OUTCOME"],
  nan: [500, "MODTS_BAD_OUTCOME"],
  big: [500, "MODTS_BAD_OUTCOME"],
  response: [500, "MODTS_BAD_OUTCOME"],
  nested: [500, "MODTS_BAD_OUTCOME"],
  throws: [500, "MODTS_HANDLER_FAILED"],
  rejects: [500, "MODTS_HANDLER_FAILED"],
  throwsNothing: [500, "MODTS_HANDLER_FAILED"],
  throwsZero: [500, "MODTS_HANDLER_FAILED"],
  throwsLookalike: [500, "MODTS_HANDLER_FAILED"],
  throws403: [403],
  hangs: [504, "MODTS_HANDLER_TIMEOUT"],
  neverThens: [504, "MODTS_HANDLER_TIMEOUT"],
  done: [200],
  success: [200],
  created: [201],
  forbidden: [403],
  notCallable: [500, "MODTS_NOT_CALLABLE"],
  missing: [500, "MODTS_MISSING_EXPORT"],
  Empty: [500, "MODTS_MISSING_EXPORT"],
  Throwing: [500, "MODTS_HANDLER_FAILED"],
};

/** References as a whole. */
const files: Record<string, string> = {
  "syntax.ts": "MODTS_BUILD_FAILED",
  "throws-at-load.ts": "MODTS_BUILD_FAILED",
  "imports-nothing.ts": "MODTS_BUILD_FAILED",
  "nowhere.ts": "MODTS_HANDLER_NOT_FOUND",
  "../outside.ts": "MODTS_OUTSIDE_ROOTS",
  "content.ts": "MODTS_MISSING_EXPORT",
  "mod_ts/none": "MODTS_UNKNOWN_BUILTIN",
};

for (const phase of ["access", "authen", "authz"]) {
  t.test(`${phase}: an OK passes`, async (t) => {
    for (const name of ["ok", "okLater"]) {
      const lines = [`${phase} guard.ts::${name}`, "handler content.ts"];
      t.match(await worker.ask(lines), { status: 200, body: content }, name);
    }
  });

  t.test(`${phase}: whatever else a handler does, the content stays closed`, async (t) => {
    for (const [name, [status, code]] of Object.entries(guards)) {
      const before = worker.records.length;
      const reply = await worker.ask([`${phase} guard.ts::${name}`, "handler content.ts"]);
      t.equal(reply.status, status, name);
      t.notMatch(reply.body, content, name);
      const records = worker.records.slice(before);
      t.equal(records.at(-1)?.code, code, `${name} in the log`);
      if (code) t.match(records.at(-1)?.message, /guard\.ts/);
    }
  });

  t.test(`${phase}: a handler that cannot be loaded`, async (t) => {
    for (const [file, code] of Object.entries(files)) {
      const reply = await worker.ask([`${phase} ${file}`, "handler content.ts"]);
      t.equal(reply.status, 500, file);
      t.notMatch(reply.body, content, file);
      t.equal(worker.records.at(-1)?.code, code, file);
    }
  });

  t.test(`${phase}: all of them decline`, async (t) => {
    const declines = ["declined", "throwsDeclined", "declined guard.ts::throwsDeclined"];
    for (const name of declines) {
      const reply = await worker.ask([`${phase} guard.ts::${name}`, "handler content.ts"]);
      t.equal(reply.status, phase === "authen" ? 500 : 403, name);
      t.notMatch(reply.body, content, name);
    }
  });

  t.test(`${phase}: a failure after a DECLINED, and one in a class of its own`, async (t) => {
    for (const name of ["yes", "throws", "missing"]) {
      const lines = [`${phase} guard.ts::declined guard.ts::${name}`, "handler content.ts"];
      const reply = await worker.ask(lines);
      t.equal(reply.status, 500, name);
      t.notMatch(reply.body, content, name);
    }
  });
}

t.test(
  "access: each handler of the list must agree, an OK does not outvote the next one",
  async (t) => {
    for (const name of ["forbidden", "throws", "yes", "silent"]) {
      const lines = [`access guard.ts::ok guard.ts::${name}`, "handler content.ts"];
      const reply = await worker.ask(lines);
      t.not(reply.status, 200, name);
      t.notMatch(reply.body, content, name);
    }
    const lines = ["access guard.ts::ok guard.ts::declined", "handler content.ts"];
    t.match(await worker.ask(lines), { status: 200, body: content });
  },
);

t.test("one phase does not stand for another", async (t) => {
  const lines = ["access guard.ts::ok", "authen guard.ts::ok", "authz guard.ts::declined"];
  t.equal((await worker.ask([...lines, "handler content.ts"])).status, 403);
});

t.test("a handler that is added to a guarding phase fails closed, too", async (t) => {
  worker.write(
    "adds.ts",
    `export function initHandler(req) { req.addHandler("access", () => true); return 0; }`,
  );
  const reply = await worker.ask(["init adds.ts", "handler content.ts"]);
  t.equal(reply.status, 500);
  t.notMatch(reply.body, content);
});

t.test("a save that breaks a guard: the last good one goes on guarding", async (t) => {
  const lines = ["access changing.ts", "handler content.ts"];
  worker.write("changing.ts", "export const accessHandler = () => 403;");
  t.equal((await worker.ask(lines)).status, 403);
  worker.write("changing.ts", "export const accessHandler = () => ");
  t.equal((await worker.ask(lines)).status, 403);
  worker.write("changing.ts", "export const accessHandler = () => 0;");
  t.match(await worker.ask(lines), { status: 200, body: content });
});
