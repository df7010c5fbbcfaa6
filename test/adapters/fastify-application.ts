import type { FastifyInstance } from "fastify";
import t from "tap";
import { FastifyApplication, type FastifySource } from "../../src/adapters/fastify-application.ts";
import { serve } from "../fixtures/exchange-server.ts";

const url = { base: "/app", rest: "/x", whole: "/app/x" };

function sourceOf(exports: Record<string, unknown>, seen: string[] = []): FastifySource {
  const retain = () => {
    seen.push("held");
    return () => void seen.push("let go");
  };
  const module = { exports, file: "/srv/a.ts", generation: 3, retain };
  return { module, path: [], base: "/app", name: "mod_ts/fastify a.ts" };
}

t.test("answers, and closes after its last request", async (t) => {
  const seen: string[] = [];
  let release = (): void => {};
  const source = sourceOf(
    {
      options: { bodyLimit: 7 },
      default: async (fastify: FastifyInstance) => {
        fastify.addHook("onClose", async () => void seen.push("closed"));
        fastify.get("/x", async () => {
          await new Promise<void>((resolve) => (release = resolve));
          return fastify.initialConfig.bodyLimit;
        });
      },
    },
    seen,
  );
  const application = await FastifyApplication.start(source);
  t.equal(application.generation, 3);
  const server = await serve(t, (req) => {
    const answered = application.answer(req, url).then(() => void seen.push("answered"));
    application.retire();
    setTimeout(() => release(), 10);
    return answered;
  });
  t.equal((await server.ask()).body, "7");
  await application.close();
  await application.close();
  t.strictSame(seen, ["held", "answered", "closed", "let go"]);
});

t.test("a plugin that fails is an error with its name", async (t) => {
  const seen: string[] = [];
  const boom = async (): Promise<void> => {
    throw new Error("boom");
  };
  await t.rejects(FastifyApplication.start(sourceOf({ default: boom }, seen)), {
    code: "MODTS_APPLICATION_FAILED",
    message: "mod_ts/fastify a.ts cannot start: boom",
    cause: { message: "boom" },
  });
  t.strictSame(seen, [], "what did not start holds nothing");
  const options = { options: { bodyLimit: -1 }, default: async () => {} };
  await t.rejects(FastifyApplication.start(sourceOf(options)), {
    code: "MODTS_APPLICATION_FAILED",
  });
  await t.rejects(FastifyApplication.start(sourceOf({ default: "text" })), {
    code: "MODTS_NOT_AN_APPLICATION",
  });
});

t.test("a hook that fails at the end is logged, and the module let go", async (t) => {
  const seen: string[] = [];
  const plugin = async (fastify: FastifyInstance): Promise<void> => {
    fastify.addHook("onClose", async () => {
      throw new Error("late");
    });
  };
  const application = await FastifyApplication.start(sourceOf({ default: plugin }, seen));
  await application.close();
  t.strictSame(seen, ["held", "let go"]);
});
