/** Files of handlers, and what is known of them without running them. */
import { join } from "node:path";
import t from "tap";
import { needsExport, needsHandler, readModule } from "../../../src/cli/check/exports.ts";
import { parseReference } from "../../../src/engine/handler-reference.ts";

const files = {
  "a.ts": "export default class {} export const b = 0;",
  "b.mjs": "export { c } from './c.mjs';",
  "c.cjs": "return",
  "d.js": "module.exports = {};",
  "e.js": "export const e = 0;",
  "f.ts": "export const = 1;",
  "g.ts": { "h.ts": "" },
};

t.test("exports of modules", (t) => {
  const folder = t.testdir(files);
  const namesOf = (name: string): string[] | undefined => {
    const module = readModule(join(folder, name));
    return module && Object.keys(module.exports);
  };
  t.same(namesOf("a.ts"), ["default", "b"]);
  t.same(namesOf("b.mjs"), ["c"]);
  t.equal(namesOf("c.cjs"), undefined, "Node loads it");
  t.equal(namesOf("d.js"), undefined);
  t.same(namesOf("e.js"), ["e"]);
  t.equal(namesOf("none.ts"), undefined, "another finding names it");
  const broken = { code: "MODTS_BUILD_FAILED" };
  t.throws(() => namesOf("f.ts"), { ...broken, message: /f\.ts:1:14/ });
  t.throws(() => namesOf("g.ts"), { ...broken, message: /it is a directory/ });
  t.end();
});

t.test("what a line needs", (t) => {
  const judge = (names: string[], text: string, phase: "handler" | "log"): void =>
    needsHandler(
      parseReference(text),
      phase,
    )({ file: "a.ts", exports: Object.fromEntries(names.map((name) => [name, true])) });
  for (const name of ["handler", "default", "webSocketHandler", "connectionHandler"]) {
    t.doesNotThrow(() => judge([name], "a.ts", "handler"), name);
    t.throws(() => judge([name], "a.ts", "log"), { code: "MODTS_MISSING_EXPORT" });
    t.throws(() => judge([name], "a.ts::b", "handler"), { code: "MODTS_MISSING_EXPORT" });
  }
  t.doesNotThrow(() => judge(["View"], "a.ts::View.show", "log"), "an inner name is not known");
  const empty = { file: "a.ts", exports: {} };
  t.throws(() => needsExport(parseReference("a.ts"), "job")(empty), { message: /named job/ });
  t.end();
});
