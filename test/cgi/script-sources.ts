/** What the worker answers to threads. */
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { answerSource } from "../../src/cgi/script-sources.ts";
import { scriptFolder } from "../fixtures/script.ts";

const folder = scriptFolder(t);
const urlOf = (name: string): string => pathToFileURL(join(folder, name)).href;

/** Writes a file that is old enough for its code to be kept. */
function write(name: string, text: string, age = 10): void {
  writeFileSync(join(folder, name), text);
  const time = Date.now() / 1000 - age;
  utimesSync(join(folder, name), time, time);
}

t.test("code, its kind, the way back to the source", async (t) => {
  write("a.ts", `const a: number = 1; require("x");`);
  write("b.ts", `export const b: number = 1;`);
  write("c.cts", `exports.c = 1 as number;`);
  t.match(answerSource({ url: urlOf("a.ts"), format: undefined }), {
    format: "commonjs",
    source: /^const a = 1;[^]*\n\/\/# sourceMappingURL=data:/,
  });
  t.match(answerSource({ url: urlOf("a.ts"), format: "module-typescript" }), { format: "module" });
  t.match(answerSource({ url: urlOf("b.ts"), format: null }), { format: "module" });
  t.match(answerSource({ url: urlOf("c.cts"), format: "commonjs-typescript" }), {
    format: "commonjs",
  });
});

t.test("a saved file is compiled anew", async (t) => {
  for (const text of ["1", "22", "33"]) {
    write("saved.ts", text);
    t.match(answerSource({ url: urlOf("saved.ts"), format: "module" }), {
      source: new RegExp(`^${text};`),
    });
  }
});

t.test("names that Node does not find", async (t) => {
  write("found.ts", "");
  const parent = urlOf("a.ts");
  for (const specifier of ["./found", "./found.js", "./found.ts"]) {
    t.same(answerSource({ specifier, parent }), { url: urlOf("found.ts") }, specifier);
  }
  t.same(answerSource({ specifier: "./none", parent }), { url: undefined });
  t.same(answerSource({ specifier: "found", parent }), { url: undefined });
  t.same(answerSource({ specifier: "./found", parent: undefined }), { url: undefined });
});

t.test("mistakes are answers", async (t) => {
  write("wrong.ts", "const = 1");
  t.match(answerSource({ url: urlOf("wrong.ts"), format: null }), {
    error: { name: "BuildError" },
  });
  t.match(answerSource({ url: urlOf("none.ts"), format: null }), { error: { code: "ENOENT" } });
});
