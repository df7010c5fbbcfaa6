/** Descriptors 0, 1 and 2 by `node:fs`. */
import t from "tap";
import { runScript } from "../fixtures/script.ts";

t.test("writing", async (t) => {
  const code = `
    import fs, { writeFileSync, writeSync } from "node:fs";
    const bytes = Buffer.from("abcdef");
    console.log([writeSync(1, "ü"), writeSync(1, bytes, 1, 2), fs.writeSync(1, "ff", null, "hex")].join());
    writeFileSync(1, "file\\n");
    fs.appendFileSync("/dev/stdout", bytes);
    writeFileSync("/dev/stderr", "error");
    fs.writeSync(2, "!");
  `;
  const { stdout, stderr } = await runScript(t, code);
  t.equal(stdout, "übc\ufffd2,2,1\nfile\nabcdef");
  t.equal(stderr, "error!");
});

t.test("reading", async (t) => {
  const code = `
    import fs, { readSync } from "node:fs";
    import { readFile } from "node:fs/promises";
    const four = Buffer.alloc(4, ".");
    console.log(readSync(0, four, 1, 2, null), String(four), readSync(0, four, { length: 1 }), String(four));
    console.log(await readFile("/dev/stdin", "utf8"), fs.readFileSync(0).length);
    fs.readFile(0, "utf8", (error, content) => console.log(JSON.stringify(content)));
  `;
  const { stdout, end } = await runScript(t, code, { name: "a.mts", input: "abcdef" });
  t.match(end, { kind: "done" }, String(end.error));
  t.equal(stdout, '2 .ab. 1 cab.\ndef 0\n""\n');
});
