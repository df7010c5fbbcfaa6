/** One round from options to answer; the rest is in test/apache/fastify.ts. */
import type { FastifyInstance } from "fastify";
import t from "tap";
import { createFastify } from "../../src/handlers/fastify.ts";
import { startEngine } from "../fixtures/gateway.ts";

const closed: string[] = [];
const fastify = createFastify();
const peer = await startEngine(t, {
  fastify: fastify.module,
  app: {
    default: async (instance: FastifyInstance, { prefix }: { prefix?: string }) => {
      instance.get("/b", async ({ url }) => `${prefix} ${url}`);
      instance.addHook("onClose", async () => void closed.push(String(prefix)));
    },
    object: {},
  },
});

const ask = (uri: string, ...options: string[]) =>
  peer.ask(["handler fastify", ...options.map((text) => `option mod_ts.fastify.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base: an instance for each", async (t) => {
  t.match(await ask("/b", "application app"), { status: 200, body: "undefined /b" });
  t.match(await ask("/a/b", "application app", "base /a"), { status: 200, body: "/a /a/b" });
  t.match(await ask("/b", "application app", "base /a"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await ask("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: Use TsOption mod_ts.fastify.application");
  t.match(await ask("/", "application app::object"), { status: 500 });
  t.match(peer.log(), /MODTS_NOT_AN_APPLICATION: .*exports an object/);
});

t.test("close ends them all", async (t) => {
  await fastify.close();
  t.strictSame(closed.toSorted(), ["/a", "undefined"]);
});
