/** One round from a file name to an answer; the rest is in test/apache/publisher*.ts. */
import { join } from "node:path";
import t from "tap";
import { publishTarget, createPublisher } from "../../../src/handlers/publisher/publisher.ts";
import { ModTsError } from "../../../src/base/errors.ts";
import { DECLINED } from "../../../src/base/outcome.ts";
import { type HeldModule, internals, type ModuleSource } from "../../../src/request/internals.ts";
import { type Answer, serve } from "../../fixtures/exchange-server.ts";

const folder = t.testdir({ "a.ts": "", "_b.ts": "", "c.txt": "" });

async function askFor(name: string, load: ModuleSource["load"]): Promise<Answer> {
  const publisher = createPublisher();
  const server = await serve(
    t,
    async (req) => {
      req[internals].modules = { load };
      const outcome = await publisher.handler(req);
      if (outcome === DECLINED) req.write("declined");
      return outcome;
    },
    { filename: join(folder, name), pathInfo: "/fn" },
  );
  return server.ask();
}

const held: HeldModule = {
  exports: { fn: () => "called" },
  declared: new Set(["fn"]),
  file: join(folder, "a.ts"),
  generation: 1,
};

t.test("at once, or when the module is there", async (t) => {
  t.match(await askFor("a.ts", () => held), { body: "called" });
  t.match(await askFor("a", async () => held), { body: "called" });
  t.match(await askFor("c.txt", () => held), { body: "declined" });
  t.match(await askFor("_b", () => held), { status: 403 });
});

t.test("a module that cannot be loaded is an error, one that is gone is not there", async (t) => {
  const failure = new ModTsError("MODTS_BUILD_FAILED", { file: "a.ts", reason: "oh" });
  const fail = (): never => {
    throw failure;
  };
  t.match(await askFor("a.ts", fail), { status: 500, body: "MODTS_BUILD_FAILED" });
  t.match(await askFor("a.ts", async () => fail()), { status: 500, body: "MODTS_BUILD_FAILED" });
  t.match(
    await askFor("a.ts", () => ({ ...held, failure })),
    { body: "called" },
    "the version before",
  );
});

interface Case {
  readonly owner?: object;
  readonly parameters?: unknown;
  readonly head?: string;
}

async function ask(value: unknown, { owner, parameters, head }: Case = {}): Promise<Answer> {
  const module = { exports: { parameters }, file: "/m.ts", generation: 1 };
  const target = { module, names: ["fn"], value, owner, guarded: [], label: "module/fn" };
  const server = await serve(t, (req) => publishTarget(req, target));
  return server.ask(head);
}

t.test("a function that takes nothing answers at once, with its owner", async (t) => {
  const owner = {
    name: "owner",
    fn() {
      return this.name;
    },
  };
  t.match(await ask(owner.fn, { owner }), { body: "owner" });
  t.match(
    await ask(function (this: unknown) {
      return String(this);
    }),
    { body: "undefined" },
  );
});

t.test("fields by name, the request by its own", async (t) => {
  t.match(await ask((x: string) => `x is ${x}`), { body: "x is 1" });
  t.match(await ask((y: string) => y), { status: 400, body: "y: is missing\n" });
  t.match(await ask(async (req: { method: string }) => req.method), { body: "GET" });
});

t.test("a schema of the module, of the function, and which one counts", async (t) => {
  const schema = { properties: { x: { type: "integer" } } };
  const call = (parameters: object): object => ({ parameters });
  t.match(await ask(call, { parameters: { fn: schema } }), { body: '{"parameters":{"x":1}}' });
  t.match(
    await ask(call, { parameters: { fn: schema }, owner: {} }),
    { status: 400 },
    "not below an export",
  );
  t.match(await ask(call, { parameters: { other: schema } }), { status: 400 });
  const own = Object.assign((parameters: object) => parameters, { parameters: schema });
  t.match(await ask(own, { parameters: { fn: { required: ["never"] } } }), { body: '{"x":1}' });
});

t.test("a schema or a list of methods that is undefined is one that went wrong", async (t) => {
  const call = (x: string): string => `called with ${x}`;
  t.match(await ask(call, { parameters: { fn: undefined } }), {
    status: 500,
    body: "MODTS_BAD_SCHEMA",
  });
  for (const [name, code] of [
    ["parameters", "MODTS_BAD_SCHEMA"],
    ["methods", "MODTS_BAD_ARGUMENT"],
  ] as const) {
    const own = Object.assign((x: string) => `called with ${x}`, { [name]: undefined });
    t.match(await ask(own), { status: 500, body: code }, name);
  }
});

t.test("values, and what is none", async (t) => {
  t.match(await ask("text"), { body: "text" });
  t.match(await ask({ a: [1] }), { body: '{"a":[1]}' });
  t.match(await ask(new Map()), { status: 403 });
  t.match(await ask(Map), { status: 403 }, "a class");
  t.match(await ask("text", { head: "DELETE /" }), {
    status: 405,
    headers: { allow: "GET, HEAD, POST" },
  });
});
