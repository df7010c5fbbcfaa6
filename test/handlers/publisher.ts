/** One round from a file name to an answer; the rest is in test/apache/publisher*.ts. */
import { join } from "node:path";
import t from "tap";
import { createPublisher } from "../../src/handlers/publisher.ts";
import { ModTsError } from "../../src/errors.ts";
import { DECLINED } from "../../src/outcome.ts";
import type { HeldModule, ModuleSource } from "../../src/request/internals.ts";
import { internals } from "../../src/request/request.ts";
import { serve, type Answer } from "../fixtures/exchange-server.ts";

const folder = t.testdir({ "a.ts": "", "_b.ts": "", "c.txt": "" });

async function ask(name: string, load: ModuleSource["load"]): Promise<Answer> {
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

const module: HeldModule = {
  exports: { fn: () => "called" },
  declared: new Set(["fn"]),
  file: join(folder, "a.ts"),
  generation: 1,
};

t.test("at once, or when the module is there", async (t) => {
  t.match(await ask("a.ts", () => module), { body: "called" });
  t.match(await ask("a", async () => module), { body: "called" });
  t.match(await ask("c.txt", () => module), { body: "declined" });
  t.match(await ask("_b", () => module), { status: 403 });
});

t.test("a module that cannot be loaded is an error, one that is gone is not there", async (t) => {
  const failure = new ModTsError("MODTS_BUILD_FAILED", { file: "a.ts", reason: "oh" });
  const fail = (): never => {
    throw failure;
  };
  t.match(await ask("a.ts", fail), { status: 500, body: "MODTS_BUILD_FAILED" });
  t.match(await ask("a.ts", async () => fail()), { status: 500, body: "MODTS_BUILD_FAILED" });
  t.match(
    await ask("a.ts", () => ({ ...module, failure })),
    { body: "called" },
    "the version before",
  );
});
