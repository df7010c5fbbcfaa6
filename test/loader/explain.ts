import t from "tap";
import { BuildError } from "../../src/loader/build-error.ts";
import { adviseOnModules, explain } from "../../src/loader/explain.ts";
import type { ModuleRecord } from "../../src/loader/module-record.ts";

const record = (file: string, text: string, ...specifiers: string[]): ModuleRecord =>
  ({
    file,
    text,
    requests: specifiers.map((specifier) => ({ specifier })),
    edges: new Map(
      specifiers.map((specifier) => [specifier, { target: { ownExports: new Set(["losts"]) } }]),
    ),
  }) as never;

const lacking = (specifier: string, name: string): SyntaxError =>
  new SyntaxError(`The requested module '${specifier}' does not provide an export named '${name}'`);

t.test("an import that lacks a name is found in the importer", async (t) => {
  const a = record("/a.ts", 'import { x } from "./h";\nimport y, { z as q } from "./h";', "./h");
  const b = record("/b.ts", 'export {\n  lost,\n} from "./h";', "./h");
  t.match(await explain(lacking("./h", "z"), a, [a, b]), { file: "/a.ts", line: 2, column: 13 });
  t.match(await explain(lacking("./h", "default"), a, [a]), { file: "/a.ts", line: 2 });
  t.match(await explain(lacking("./h", "lost"), a, [a, b]), { file: "/b.ts", line: 2, column: 3 });
  const guess = await explain(lacking("./h", "lost"), a, [a, b]);
  t.match(guess.message, "named 'lost'; did you mean losts?");
  const none = await explain(lacking("./h", "z"), a, [a, b]);
  t.match(none.message, "named 'z'; if it is a type, write import type");
  t.match(await explain(lacking("./i", "z"), a, [a, b]), { file: "/a.ts", line: 0 });
});

t.test("names of CommonJS come with what a module has in their place", async (t) => {
  const advise = (message: string, make = ReferenceError): string => {
    const error = new make(message);
    adviseOnModules(error);
    t.ok(error.stack?.includes(error.message), "the stack begins with the same message");
    return error.message;
  };
  t.match(advise("require is not defined"), "in an ES module; use import, or createRequire");
  t.match(advise("__dirname is not defined"), "use import.meta.dirname");
  t.equal(advise("foo is not defined"), "foo is not defined");
  t.equal(advise("require is not defined", TypeError as never), "require is not defined");
});

t.test("anything may be thrown", async (t) => {
  const a = record("/a.ts", "throw 1");
  for (const thrown of ["text", undefined, null, 0, {}]) {
    t.match(await explain(thrown, a, [a]), { message: /thrown: /, file: "/a.ts" });
  }
  const own = new BuildError("mine", { file: "/b.ts", line: 1, column: 1 });
  t.equal(await explain(own, a, [a]), own);
});
