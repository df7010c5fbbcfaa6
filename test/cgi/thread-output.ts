/** `process.stdout` in a thread: a pipe that stands still while it is full. */
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import t from "tap";
import { ScriptThread } from "../../src/cgi/script-thread.ts";
import { runScript, scriptFolder } from "../fixtures/script.ts";

t.test("what was written before process.exit() is there", async (t) => {
  const { stdout, stderr, end } = await runScript(
    t,
    `process.stdout.write("x".repeat(300_000)); console.error("e"); process.stdout.write(Buffer.from("end")); process.exit(5);`,
  );
  t.equal(stdout.length, 300_003);
  t.equal(stderr, "e\n");
  t.match(end, { kind: "failed", reason: "exit code 5" });
});

t.test("a buffer may be used again at once", async (t) => {
  const code = `const b = Buffer.alloc(2); for (const c of "abc") { b.fill(c); process.stdout.write(b); }`;
  t.equal((await runScript(t, code)).stdout, "aabbcc");
});

t.test("the end of the output may come before the end of the script", async (t) => {
  const { stdout, end } = await runScript(
    t,
    `process.stdout.end("done"); setTimeout(() => {}, 20);`,
  );
  t.match({ stdout, end }, { stdout: "done", end: { kind: "done" } });
});

t.test("a reader that is slow holds the script up, and one that is gone does not", async (t) => {
  const file = join(scriptFolder(t), "flood.cjs");
  const counter = `${file}.count`;
  writeFileSync(
    file,
    `
    const { appendFileSync } = require("node:fs");
    for (let i = 0; i < 100; i++) { process.stdout.write(Buffer.alloc(100_000)); appendFileSync(${JSON.stringify(counter)}, "x"); }
  `,
  );
  writeFileSync(counter, "");
  const run = await new ScriptThread(256).run({ file, env: {}, childTimeout: 1000 });
  let read = 0;
  for await (const chunk of run.stdout as AsyncIterable<Buffer>) {
    if (read === 0) {
      // Time for the script to run away, if it could.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const { readFileSync } = await import("node:fs");
      t.ok(readFileSync(counter).length < 20, "it stands still");
    }
    read += chunk.length;
    if (read > 1_000_000) break;
  }
  t.match(
    await run.ended,
    { kind: "done" },
    "breaking off destroys the stream, and what follows is forgotten",
  );
});
