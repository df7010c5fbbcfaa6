import t from "tap";
import { phaseNames } from "../../src/handler.ts";
import type { BodyReader } from "../../src/request/body.ts";
import type { Exchange } from "../../src/request/exchange.ts";
import { RequestInternals, requestPhases } from "../../src/request/internals.ts";
import type { ResponseBuffer } from "../../src/request/response.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

function create(): RequestInternals<string> {
  const nothing = {} as Exchange & ResponseBuffer & BodyReader;
  return new RequestInternals(contextOf({ debug: true }), nothing, nothing);
}

t.test("the phases are those of the contract", async (t) => {
  t.strictSame(requestPhases, phaseNames);
});

t.test("handlers are added to the running phase and to later ones", async (t) => {
  const state = create();
  t.equal(state.added.size, 0);
  state.add("log", "a.ts");
  state.phase = "fixup";
  state.add("fixup", "b.ts");
  state.add("fixup", "c.ts");
  state.add("cleanup", "d.ts");
  t.strictSame(
    [...state.added],
    [
      ["log", ["a.ts"]],
      ["fixup", ["b.ts", "c.ts"]],
      ["cleanup", ["d.ts"]],
    ],
  );
  t.equal(create().added.size, 0, "requests do not share them");
});

t.test("a phase that is over or unknown is refused", async (t) => {
  const state = create();
  t.throws(() => state.add("PythonHandler", "a.ts"), { code: "MODTS_BAD_PHASE", message: /init/ });
  state.phase = "fixup";
  t.throws(() => state.add("authen", "a.ts"), { code: "MODTS_BAD_PHASE", message: /over/ });
  state.phase = null;
  t.throws(() => state.add("fixup", "a.ts"), { code: "MODTS_BAD_PHASE", message: /over/ });
  state.add("handler", "a.ts");
  t.equal(state.phase, null);
  t.equal(state.debug, true);
  t.equal(state.interpreter, "main");
});
