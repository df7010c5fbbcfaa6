import connect from "express";
import t from "tap";
import {
  exportOf,
  isConnect,
  loadApplication,
  notAnApplication,
} from "../../src/adapters/application-module.ts";
import { parseReference } from "../../src/directives.ts";
import { ApacheRequest, internals } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const moduleOf = (exports: Record<string, unknown>) => ({
  exports,
  file: "/srv/a.ts",
  generation: 1,
});

t.test("what a reference names, own exports alone", async (t) => {
  const module = moduleOf({ default: 1, api: { v1: 2 }, nothing: null });
  t.equal(exportOf(module, []), 1);
  t.equal(exportOf(module, ["api", "v1"]), 2);
  for (const name of [
    "other",
    "toString",
    "__proto__",
    "api.constructor",
    "nothing.deep",
    "api.v2",
  ]) {
    t.throws(() => exportOf(module, name.split(".")), {
      code: "MODTS_MISSING_EXPORT",
      message: `/srv/a.ts has no export named ${name}`,
    });
  }
});

t.test("the loader hears which export matters", async (t) => {
  const req = new ApacheRequest(contextOf(), {} as never);
  const asked: string[] = [];
  const module = moduleOf({});
  req[internals].modules = {
    load(...names) {
      asked.push(names.join("::"));
      return module;
    },
  };
  t.equal(await loadApplication(req, parseReference("a.ts")), module);
  await loadApplication(req, parseReference("a.ts::api.v1"));
  t.strictSame(asked, ["a.ts::default", "a.ts::api"]);
});

t.test("the error says what it is instead", async (t) => {
  const text = (value: unknown) => notAnApplication(moduleOf({}), value, "a fish").message;
  t.equal(text("word"), '/srv/a.ts exports "word", not a fish');
  t.equal(text({}), "/srv/a.ts exports an object (Object), not a fish");
  t.equal(text(connect()), "/srv/a.ts exports an Express or Connect application, not a fish");
  t.ok(isConnect(connect()));
  t.notOk(isConnect(() => {}));
  t.notOk(isConnect(undefined));
});
