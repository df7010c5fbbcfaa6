/** Which version answers; through Apache and the loader it is in test/apache/fastify.ts. */
import type { FastifyInstance } from "fastify";
import t from "tap";
import type { FastifySource } from "../../src/adapters/fastify-application.ts";
import { FastifyVersions } from "../../src/adapters/fastify-versions.ts";
import { serve, type TestServer } from "../fixtures/exchange-server.ts";

const url = { base: "", rest: "/", whole: "/" };

/** A version of one module; `failing` says whether it can start. */
function version(generation: number, log: string[], failing = () => false): FastifySource {
  const plugin = async (fastify: FastifyInstance): Promise<void> => {
    log.push(`start ${generation}`);
    if (failing()) throw new Error(`no ${generation}`);
    fastify.get("/", async () => `version ${generation}`);
    fastify.addHook("onClose", async () => void log.push(`close ${generation}`));
  };
  const module = { exports: { default: plugin }, file: "/srv/a.ts", generation };
  return { module, path: [], base: "", name: "a" };
}

/** Asks for the version that is next in line. */
async function serveVersions(debug = false): Promise<TestServer & { line: FastifySource[] }> {
  const versions = new FastifyVersions();
  t.teardown(() => versions.close());
  const line: FastifySource[] = [];
  const server = await serve(
    t,
    (req) => versions.answer(line.shift() as FastifySource, req, url).then(() => {}),
    { debug },
  );
  return { ...server, line };
}

t.test("one start for all who ask at once; the older never comes back", async (t) => {
  const log: string[] = [];
  const { ask, line } = await serveVersions();
  const [one, two] = [version(1, log), version(2, log)];
  line.push(one, one, one, two, one);
  const answers = await Promise.all([ask(), ask(), ask()]);
  t.strictSame(
    answers.map(({ body }) => body),
    ["version 1", "version 1", "version 1"],
  );
  t.equal((await ask()).body, "version 2");
  t.equal((await ask()).body, "version 2");
  t.strictSame(log, ["start 1", "start 2", "close 1"]);
});

t.test("a version that cannot start: the one before, and another try after a while", async (t) => {
  const log: string[] = [];
  const { ask, line } = await serveVersions();
  let isDown = true;
  const [one, two] = [version(1, log), version(2, log, () => isDown)];
  line.push(one, two, two, two);
  t.equal((await ask()).body, "version 1");
  t.equal((await ask()).body, "version 1");
  t.equal((await ask()).body, "version 1");
  t.strictSame(log, ["start 1", "start 2"], "not with every request");
  isDown = false;
  await new Promise((resolve) => setTimeout(resolve, 1100));
  t.equal((await ask()).body, "version 2");
});

t.test("no version that can start", async (t) => {
  const { ask, line } = await serveVersions();
  line.push(version(1, [], () => true));
  t.equal((await ask()).body, "MODTS_APPLICATION_FAILED");
});

t.test("who debugs sees the failure", async (t) => {
  const log: string[] = [];
  const { ask, line } = await serveVersions(true);
  const [one, two] = [version(1, log), version(2, log, () => true)];
  line.push(one, two, one);
  t.equal((await ask()).body, "version 1");
  t.equal((await ask()).body, "MODTS_APPLICATION_FAILED");
  t.equal((await ask()).body, "version 1");
});
