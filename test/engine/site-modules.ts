import t from "tap";
import { createDirectives, type Directives } from "../../src/engine/directives.ts";
import { phaseNames } from "../../src/engine/handler.ts";
import { parseModule } from "../../src/engine/handler-reference.ts";
import { expandModules } from "../../src/engine/site-modules.ts";

type Exports = Record<string, unknown>;

const sourceOf = (modules: Record<string, Exports>) => ({
  load: (file: string) => ({ file, exports: modules[file] ?? {}, generation: 1 }),
});

function expand(
  modules: Record<string, Exports>,
  parts: Parameters<typeof createDirectives>[0] = {},
  kind: "request" | "upgrade" = "request",
): Promise<Directives> {
  const directives = createDirectives({ ...parts, modules: Object.keys(modules).map(parseModule) });
  return expandModules(directives, sourceOf(modules), kind);
}

const textsOf = ({ handlers }: Directives): Record<string, string[]> =>
  Object.fromEntries(
    [...handlers].map(([phase, { plain }]) => [phase, plain.map(({ text }) => text)]),
  );
const f = (): number => 0;

t.test("a module serves each phase that it has an export for", async (t) => {
  const all = ["transHandler", "initHandler", "headerParserHandler", "accessHandler"];
  const rest = ["authenHandler", "authzHandler", "typeHandler", "fixupHandler", "handler"];
  const names = [...all, ...rest, "logHandler", "cleanupHandler"];
  const whole = await expand({ "site.ts": Object.fromEntries(names.map((name) => [name, f])) });
  t.strictSame([...whole.handlers.keys()], [...phaseNames]);
  t.strictSame(whole.beforeContent, phaseNames.slice(0, phaseNames.indexOf("handler")));

  const some = await expand({ "site.ts": { logHandler: f, outputFilter: f } });
  t.strictSame(textsOf(some), { handler: ["mod_ts/origin"], log: ["site.ts"] });
  t.match(some.filters, { output: [{ reference: { text: "site.ts" }, types: [] }], input: [] });
  t.strictSame(textsOf(await expand({ "site.ts": { default: {} } })), { handler: ["site.ts"] });
});

t.test("beside lines for single phases, and other modules", async (t) => {
  const modules = {
    "outer.ts": { accessHandler: f, fixupHandler: f, handler: f },
    "inner.ts": { accessHandler: f, fixupHandler: f },
  };
  const handlers = [
    ["fixup", "own.ts"],
    ["fixup", "html.ts | .html"],
  ] as const;
  const both = await expand(modules, { handlers });
  t.strictSame(textsOf(both), {
    access: ["outer.ts", "inner.ts"],
    fixup: ["own.ts", "inner.ts"],
    handler: ["outer.ts"],
  });
  const html = both.handlers.get("fixup")?.byExtension.get(".html");
  t.strictSame(
    html?.map(({ text }) => text),
    ["html.ts", "inner.ts"],
  );
  const own = await expand(modules, { handlers: [["handler", "own.ts"]] });
  t.strictSame(textsOf(own)["handler"], ["own.ts"], "TsHandler decides about the content");
});

t.test("a WebSocket", async (t) => {
  const modules = { "site.ts": { webSocketHandler: f } };
  t.strictSame(textsOf(await expand(modules)), { handler: ["mod_ts/origin"] });
  t.strictSame(textsOf(await expand(modules, {}, "upgrade")), { handler: ["site.ts"] });
});

t.test("another version of a module is read again", async (t) => {
  const directives = createDirectives({ modules: [parseModule("site.ts")] });
  const modules = { "site.ts": { handler: f } as Exports };
  const source = sourceOf(modules);
  const first = await expandModules(directives, source, "request");
  t.equal(await expandModules(directives, source, "request"), first, "the same one is kept");
  modules["site.ts"] = { handler: f, accessHandler: f };
  t.ok((await expandModules(directives, source, "request")).handlers.has("access"));
});

t.test("an export that looks like a phase and is none is an error", async (t) => {
  for (const name of ["acessHandler", "AccessHandler", "handlerHandler", "outputfilter"]) {
    await t.rejects(expand({ "site.ts": { [name]: f } }), { code: "MODTS_UNKNOWN_PHASE" }, name);
  }
  await t.resolves(expand({ "site.ts": { helper: f, handlers: f, logHandler: f } }));
});

t.test("a module without any phase is an error", async (t) => {
  await t.rejects(expand({ "site.ts": {} }), { code: "MODTS_MISSING_EXPORT" });
  await t.rejects(expand({ "site.ts": { helper: f } }), { code: "MODTS_MISSING_EXPORT" });
});
