/** One round from options to answer; the rest is in test/apache/fastify.ts. */
import { fastify, type FastifyInstance } from "fastify";
import t from "tap";
import {
  ApplicationLogController,
  createFastify,
  createFastifyLog,
  FastifyApplication,
  type FastifySource,
  FastifyVersions,
} from "../../../src/handlers/applications/fastify.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { serve, type TestServer } from "../../fixtures/exchange-server.ts";
import { logChannel } from "../../../src/base/channels.ts";
import type { LogRecord } from "../../../src/base/log.ts";

const closed: string[] = [];
const builtIn = createFastify();
const peer = await startEngine(t, {
  fastify: builtIn.module,
  app: {
    default: async (instance: FastifyInstance, { prefix }: { prefix?: string }) => {
      instance.get("/b", async ({ url }) => `${prefix} ${url}`);
      instance.addHook("onClose", async () => void closed.push(String(prefix)));
    },
    object: {},
  },
});

const askFor = (uri: string, ...options: string[]) =>
  peer.ask(["handler fastify", ...options.map((text) => `option mod_ts.fastify.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base: an instance for each", async (t) => {
  t.match(await askFor("/b", "application app"), { status: 200, body: "undefined /b" });
  t.match(await askFor("/a/b", "application app", "base /a"), { status: 200, body: "/a /a/b" });
  t.match(await askFor("/b", "application app", "base /a"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await askFor("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: invalid option mod_ts.fastify.application");
  t.match(await askFor("/", "application app::object"), { status: 500 });
  t.match(peer.log(), /MODTS_NOT_AN_APPLICATION: .*exports an object/);
});

t.test("close ends them all", async (t) => {
  await builtIn.close();
  t.strictSame(closed.toSorted(), ["/a", "undefined"]);
});

const url = { base: "", rest: "/", whole: "/" };

/** A version of one module; `failing` says whether it can start. */
function version(generation: number, log: string[], failing = () => false): FastifySource {
  const plugin = async (instance: FastifyInstance): Promise<void> => {
    log.push(`start ${generation}`);
    if (failing()) throw new Error(`no ${generation}`);
    instance.get("/", async () => `version ${generation}`);
    instance.addHook("onClose", async () => void log.push(`close ${generation}`));
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

const mounted = { base: "/app", rest: "/x", whole: "/app/x" };

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
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const source = sourceOf(
    {
      options: { bodyLimit: 7 },
      default: async (instance: FastifyInstance) => {
        instance.addHook("onClose", async () => void seen.push("closed"));
        instance.get("/x", async () => {
          asked.resolve();
          await release.promise;
          return instance.initialConfig.bodyLimit;
        });
      },
    },
    seen,
  );
  const application = await FastifyApplication.start(source);
  t.equal(application.generation, 3);
  const server = await serve(t, (req) => {
    const answered = application.answer(req, mounted).then(() => void seen.push("answered"));
    application.retire();
    void asked.promise.then(() => setImmediate(release.resolve));
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
  const plugin = async (instance: FastifyInstance): Promise<void> => {
    instance.addHook("onClose", async () => {
      throw new Error("late");
    });
  };
  const application = await FastifyApplication.start(sourceOf({ default: plugin }, seen));
  await application.close();
  t.strictSame(seen, ["held", "let go"]);
});

const records: LogRecord[] = [];
const listen = (record: unknown): void => void records.push(record as LogRecord);
logChannel.subscribe(listen);
t.teardown(() => logChannel.unsubscribe(listen));
t.beforeEach(() => void records.splice(0));

t.test("levels, texts, errors", async (t) => {
  const log = createFastifyLog("app");
  const error = new Error("boom");
  log.fatal("a %s of %d", "text", 2);
  log.error(error);
  log.error({ err: error }, "why");
  log.warn({ a: 1 }, "with details");
  log.child({ reqId: 1 }).info("child");
  log.debug("d");
  log.trace("t");
  log.silent("nothing");
  t.strictSame(records, [
    { level: "crit", message: "app: a text of 2" },
    { level: "error", message: "app: boom", error },
    { level: "error", message: "app: why", error },
    { level: "warn", message: "app: with details" },
    { level: "info", message: "app: child" },
    { level: "debug", message: "app: d" },
    { level: "debug", message: "app: t" },
  ]);
});

t.test("what Fastify itself logs", async (t) => {
  const instance = fastify({
    loggerInstance: createFastifyLog("app"),
    logController: new ApplicationLogController(),
  });
  instance.get("/", async () => "fine");
  instance.get("/boom", async () => {
    throw new Error("boom");
  });
  instance.get("/refused", async () => {
    throw Object.assign(new Error("no"), { statusCode: 403 });
  });
  for (const path of ["/", "/unknown", "/boom", "/refused"]) await instance.inject(path);
  t.match(records, [
    { level: "error", message: "app: boom", error: { message: "boom" } },
    { level: "info", message: "app: no" },
  ]);
  t.equal(records.length, 2);
  t.notOk(records[1]?.error, "a refusal shows no stack");
  await instance.close();
});
