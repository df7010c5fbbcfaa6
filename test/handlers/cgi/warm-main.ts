/** What a script finds in a warm process: its input, and its modules. */
import t from "tap";
import { runScript } from "../../fixtures/script.ts";

const input = "line one\nline two\n";
const ways: Record<string, string> = {
  events: `let s = ""; process.stdin.setEncoding("utf8").on("data", (d) => s += d).on("end", () => console.log(s));`,
  iteration: `let s = ""; for await (const d of process.stdin) s += d; console.log(s);`,
  pipe: `process.stdin.pipe(process.stdout, { end: false }); process.stdin.on("end", () => console.log());`,
  readline: `import { createInterface } from "node:readline"; for await (const l of createInterface({ input: process.stdin })) console.log(l); console.log();`,
  synchronous: `import { readFileSync } from "node:fs"; console.log(readFileSync(0, "utf8"));`,
};

for (const [name, code] of Object.entries(ways)) {
  t.test(`standard input by ${name}`, async (t) => {
    t.equal((await runScript(t, code, { name: "a.mts", input })).stdout, `${input}\n`);
    t.equal((await runScript(t, code, { name: "a.mts" })).stdout, "\n", "empty");
  });
}

t.test("a script that does not read its input ends", async (t) => {
  const ran = await runScript(t, `console.log("end")`, { input });
  t.match(ran, { stdout: "end\n", end: { kind: "done" } });
});

const neighbors = {
  "part.ts": `export enum Color { red = "red" }\nexport const name: string = "part";`,
  "old.cts": `exports.old = "old" as string;`,
};

const forms: Record<string, [name: string, code: string, stdout: string]> = {
  "an ES module": [
    "a.ts",
    `import { Color } from "./part.ts"; console.log(Color.red, typeof require, typeof module);`,
    "red undefined undefined\n",
  ],
  "the ways of TypeScript to name a file": [
    "a.ts",
    `import { name } from "./part.js"; import { Color } from "./part"; console.log(name, Color.red);`,
    "part red\n",
  ],
  "CommonJS by its extension": [
    "a.cts",
    `const { old } = require("./old.cts"); console.log(old as string, require.main === module);`,
    "old true\n",
  ],
  "CommonJS by its content": [
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
  "a byte order mark before it": [
    "a.ts",
    `\ufeff#!/bin/node\nconsole.log("ran" as string);`,
    "ran\n",
  ],
  "the same in CommonJS": ["a.cjs", `\ufeff#!/bin/node\nconsole.log(typeof module);`, "object\n"],
  "the same in a module": [
    "a.mjs",
    `\ufeff#!/bin/node\nconsole.log(typeof module);`,
    "undefined\n",
  ],
  "import() and import.meta": [
    "a.mts",
    `const { name } = await import("./part.ts"); console.log(name, import.meta.filename === process.argv[1], import.meta.main);`,
    "part true true\n",
  ],
  "mod-ts": [
    "a.ts",
    `import { escapeHtml } from "mod-ts"; console.log(escapeHtml("<"));`,
    "&lt;\n",
  ],
};

for (const [title, [name, code, stdout]] of Object.entries(forms)) {
  t.test(title, async (t) => {
    const ran = await runScript(t, code, { name, files: neighbors });
    t.match(ran, { stdout, stderr: "", end: { kind: "done" } });
  });
}

t.test("errors name the line of the source", async (t) => {
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
