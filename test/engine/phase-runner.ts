/** From a reference to a function, and from what it gave to an outcome. */
import { emptyCalls } from "../../src/base/counts.ts";
import { withinLimit } from "../../src/engine/time-limit.ts";
import t from "tap";
import {
  findHandler,
  isApplication,
  lookupOf,
  missingExport,
  toOutcome,
} from "../../src/engine/phase-runner.ts";
import { parseReference } from "../../src/engine/handler-reference.ts";
import { phaseNames } from "../../src/engine/handler.ts";
import { internals } from "../../src/request/internals.ts";
import type { ApacheRequest } from "../../src/request/request.ts";

const req = { name: "the request" } as unknown as ApacheRequest;

function moduleOf(exports: Record<string, unknown>) {
  return { exports, file: "/srv/m.ts", generation: 1, release() {} };
}

/** Looks a reference up and calls what it finds. */
function call(exports: Record<string, unknown>, reference: string, phase = "handler"): unknown {
  const lookup = lookupOf(parseReference(reference), phase as "handler");
  return findHandler(moduleOf(exports), lookup, req)(req);
}

t.test("the default name of each phase", async (t) => {
  const names = phaseNames.map((phase) => lookupOf(parseReference("m.ts"), phase).names.join());
  t.strictSame(names, [
    "transHandler",
    "initHandler",
    "headerParserHandler",
    "accessHandler",
    "authenHandler",
    "authzHandler",
    "typeHandler",
    "fixupHandler",
    "handler",
    "logHandler",
    "cleanupHandler",
  ]);
});

t.test(
  "a function, an object's method, a class, a method of a class, a class in an object",
  async (t) => {
    class Greeter {
      readonly greeting: string;
      constructor(given: { name: string }) {
        this.greeting = `hello ${given.name}`;
      }
      handler(): string {
        return this.greeting;
      }
      accessHandler(): string {
        return `access ${this.greeting}`;
      }
      wave(): string {
        return `wave ${this.greeting}`;
      }
    }
    const exports = {
      handler: () => "plain",
      own: {
        text: "own",
        greet(this: { text: string }) {
          return this.text;
        },
      },
      Greeter,
      nested: { Greeter },
      bound: new Greeter({ name: "once" }),
    };
    t.equal(call(exports, "m.ts"), "plain");
    t.equal(call(exports, "m.ts::own.greet"), "own");
    t.equal(call(exports, "m.ts::Greeter"), "hello the request");
    t.equal(call(exports, "m.ts::Greeter", "access"), "access hello the request");
    t.equal(call(exports, "m.ts::Greeter.wave"), "wave hello the request");
    t.equal(call(exports, "m.ts::nested.Greeter.wave"), "wave hello the request");
    t.equal(call(exports, "m.ts::bound.wave"), "wave hello once");
  },
);

t.test("a default export is an application in the content phase alone", async (t) => {
  const module = moduleOf({ default: () => new Response() });
  const isOne = (reference: string, phase: string, of = module) =>
    isApplication(of, lookupOf(parseReference(reference), phase as "handler"));
  t.ok(isOne("m.ts", "handler"));
  t.equal(lookupOf(parseReference("m.ts"), "handler").asked, "handler|default");
  for (const phase of phaseNames.filter((name) => name !== "handler")) {
    t.notOk(isOne("m.ts", phase), phase);
    t.throws(() => call(module.exports, "m.ts", phase), { code: "MODTS_MISSING_EXPORT" }, phase);
  }
  t.notOk(isOne("m.ts::default", "handler"), "a name is a handler's");
  t.notOk(isOne("m.ts::handler", "handler"));
  t.notOk(isOne("m.ts", "handler", moduleOf({ default: () => {}, handler: () => {} })));
  t.notOk(isOne("m.ts", "handler", moduleOf({})));
});

t.test("what is missing, inherited or no function", async (t) => {
  const exports = { text: "text", nothing: null, nested: {}, list: [1], handler: undefined };
  for (const name of ["missing", "toString", "__proto__", "constructor", "nothing.deep"]) {
    t.throws(() => call(exports, `m.ts::${name}`), { code: "MODTS_MISSING_EXPORT" }, name);
  }
  t.throws(() => call(exports, "m.ts::nested.deep.er"), {
    message:
      "/srv/m.ts has no export named nested.deep.er; it exports text, nothing, nested, list, handler",
  });
  const others: [string, string][] = [
    ["text", '"text"'],
    ["nothing", "null"],
    ["nested", "an object (Object)"],
    ["list", "an object (Array)"],
    ["handler", "undefined"],
  ];
  for (const [name, type] of others) {
    const message = `export ${name} of /srv/m.ts is ${type}; expected a function or a class`;
    t.throws(() => call(exports, `m.ts::${name}`), { code: "MODTS_NOT_CALLABLE", message });
  }
});

t.test("outcomes: numbers of httpd, and nothing else", async (t) => {
  for (const value of [0, -0, -1, -2, 200, 204, 302, 404, 418, 599]) {
    t.equal(toOutcome(value, "access", "h"), value);
  }
  const wrong = [
    true,
    false,
    null,
    "ok",
    "0",
    42,
    100,
    199,
    600,
    -3,
    200.5,
    NaN,
    Infinity,
    {},
    [0],
  ];
  for (const value of [...wrong, 200n, Symbol("s"), () => 0, new Response(), Object.create(null)]) {
    const pattern = { code: "MODTS_BAD_OUTCOME", status: 500 };
    for (const phase of phaseNames) t.throws(() => toOutcome(value, phase, "h"), pattern);
  }
});

t.test("a mistake comes with its cure", async (t) => {
  t.throws(() => call({ handlr: () => 0 }, "m.ts"), {
    message: "/srv/m.ts has no export named handler; did you mean handlr?",
  });
  t.throws(() => call({}, "m.ts"), { message: /it exports nothing$/ });
  t.match(
    missingExport({ file: "/srv/a.tsp", exports: {} }, "handler").message,
    /; pages are served by Use TsHandler mod_ts\/pages$/,
  );
  const cures: [unknown, RegExp][] = [
    [{ a: 1 }, /a Response; to send it as JSON, return Response\.json\(value\)$/],
    ["text", /a Response; to send the text, return new Response\(text\)$/],
    [true, /a Response; return OK$/],
    [1048576, /; after await req\.sendFile\(…\), return OK$/],
    [1.5, /a Response$/],
  ];
  for (const [value, cure] of cures) {
    t.throws(() => toOutcome(value, "handler", "h"), { message: cure });
    t.throws(() => toOutcome(value, "access", "h"), { message: /or an HTTP status$/ });
  }
});

t.test("to give nothing is OK for content and after it, and an error before", async (t) => {
  for (const phase of phaseNames) {
    if (["handler", "log", "cleanup"].includes(phase)) t.equal(toOutcome(undefined, phase, "h"), 0);
    else t.throws(() => toOutcome(undefined, phase, "h"), /h returned undefined in phase/);
  }
});

t.test(
  "a handler that has begun to answer may take its time, until its client has gone",
  async (t) => {
    const label = {
      phase: "handler",
      handler: "h",
      limit: 10,
      began: 0,
      counts: emptyCalls(),
    } as const;
    const gone = new AbortController();
    const begun = { [internals]: { response: { begun: true }, exchange: {} }, signal: gone.signal };
    const waiting = withinLimit(new Promise(() => {}), begun as unknown as ApacheRequest, label);
    let settled = false;
    waiting.catch(() => (settled = true));
    await new Promise((resolve) => setTimeout(resolve, 60));
    t.equal(settled, false);
    gone.abort();
    await t.rejects(waiting, { code: "MODTS_HANDLER_TIMEOUT", status: 504 });
    t.equal(await withinLimit(Promise.resolve(7), begun as unknown as ApacheRequest, label), 7);
  },
);
