/** How scripts are loaded. */
import t from "tap";
import { runScript } from "../fixtures/script.ts";

const neighbours = {
  "part.ts": `export enum Colour { red = "red" }\nexport const name: string = "part";`,
  "old.cts": `exports.old = "old" as string;`,
};

const forms: Record<string, [name: string, code: string, stdout: string]> = {
  "an ES module": [
    "a.ts",
    `import { Colour } from "./part.ts"; console.log(Colour.red, typeof require);`,
    "red undefined\n",
  ],
  "TypeScript's ways to name a file": [
    "a.ts",
    `import { name } from "./part.js"; import { Colour } from "./part"; console.log(name, Colour.red);`,
    "part red\n",
  ],
  "CommonJS by its extension": [
    "a.cts",
    `const { old } = require("./old.cts"); console.log(old as string, require.main === module);`,
    "old true\n",
  ],
  "CommonJS by what it holds": [
    "a.ts",
    `const os: typeof import("node:os") = require("node:os"); console.log(typeof os.cpus);`,
    "function\n",
  ],
  "await at the top": ["a.ts", `console.log(await Promise.resolve("awaited"));`, "awaited\n"],
  "the first line of a program": [
    "a.ts",
    `#!/usr/bin/env node\nconsole.log("ran" as string);`,
    "ran\n",
  ],
  "import() and import.meta": [
    "a.mts",
    `const { name } = await import("./part.ts"); console.log(name, import.meta.filename === process.argv[1]);`,
    "part true\n",
  ],
  "mod-ts": [
    "a.ts",
    `import { escapeHtml } from "mod-ts"; console.log(escapeHtml("<"));`,
    "&lt;\n",
  ],
};

for (const [title, [name, code, stdout]] of Object.entries(forms)) {
  t.test(title, async (t) => {
    const ran = await runScript(t, code, { name, files: neighbours });
    t.match(ran, { stdout, stderr: "", end: { kind: "done" } });
  });
}

t.test("mistakes name the line of the source", async (t) => {
  const thrown = await runScript(
    t,
    `interface A { b: 1 }\n\nconst f = (): never => { throw new Error("x"); };\nf();`,
  );
  t.match((thrown.end.error as Error).stack, /Error: x\n.*script\.ts:3:\d+/);
  const syntax = await runScript(t, `\nconst a: = 1;`);
  t.match((syntax.end.error as Error).message, /SyntaxError.*script\.ts:2:/);
  const missing = await runScript(t, `import { a } from "./missing.ts"; console.log(a);`);
  t.match((missing.end.error as Error).message, /missing\.ts/);
});
