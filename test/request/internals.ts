import t from "tap";
import type { Exchange } from "../../src/request/exchange.ts";
import { addHandler, internals } from "../../src/request/internals.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const create = (): ApacheRequest => new ApacheRequest(contextOf(), {} as Exchange);

t.test("handlers are added to the running phase and to later ones", async (t) => {
  const state = create()[internals];
  t.equal(state.added, undefined);
  addHandler(state, "log", "a.ts");
  state.phase = "fixup";
  addHandler(state, "fixup", "b.ts");
  addHandler(state, "fixup", "c.ts");
  addHandler(state, "cleanup", "d.ts");
  t.strictSame(
    [...(state.added ?? [])],
    [
      ["log", ["a.ts"]],
      ["fixup", ["b.ts", "c.ts"]],
      ["cleanup", ["d.ts"]],
    ],
  );
  t.equal(create()[internals].added, undefined, "requests do not share them");
});

t.test("a phase that is over or unknown is rejected", async (t) => {
  const state = create()[internals];
  const over = { code: "MODTS_BAD_PHASE", message: /over/ };
  t.throws(() => addHandler(state, "PythonHandler" as "log", "a.ts"), {
    code: "MODTS_BAD_PHASE",
    message: /init/,
  });
  state.phase = "fixup";
  t.throws(() => addHandler(state, "authen", "a.ts"), over);
  state.phase = null;
  state.endedPhase = "fixup";
  t.throws(() => addHandler(state, "fixup", "a.ts"), over);
  addHandler(state, "handler", "a.ts");
  t.equal(state.interpreter, "main");
});
