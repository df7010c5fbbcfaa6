/** `process.stdin` in a thread. */
import t from "tap";
import { runScript } from "../fixtures/script.ts";

const input = "line one\nline two\n";
const ways: Record<string, string> = {
  events: `let s = ""; process.stdin.setEncoding("utf8").on("data", (d) => s += d).on("end", () => console.log(s));`,
  iteration: `let s = ""; for await (const d of process.stdin) s += d; console.log(s);`,
  pipe: `process.stdin.pipe(process.stdout, { end: false }); process.stdin.on("end", () => console.log());`,
  readline: `import { createInterface } from "node:readline"; for await (const l of createInterface({ input: process.stdin })) console.log(l); console.log();`,
  synchronous: `import { readFileSync } from "node:fs"; console.log(readFileSync(0, "utf8"));`,
};

for (const [name, code] of Object.entries(ways)) {
  t.test(name, async (t) => {
    t.equal((await runScript(t, code, { name: "script.mts", input })).stdout, `${input}\n`);
    t.equal((await runScript(t, code, { name: "script.mts" })).stdout, "\n", "empty");
  });
}

t.test("first in one way, then in the other", async (t) => {
  const code = `
    import { readSync } from "node:fs";
    const two = Buffer.alloc(2);
    readSync(0, two);
    let rest = "";
    for await (const d of process.stdin) rest += d;
    console.log(String(two) + "|" + rest + "|" + readSync(0, two));
  `;
  t.equal((await runScript(t, code, { name: "a.mts", input })).stdout, `li|${input.slice(2)}|0\n`);
});

t.test("a script that does not read ends all the same", async (t) => {
  t.match(await runScript(t, `console.log("end")`, { input }), {
    stdout: "end\n",
    end: { kind: "done" },
  });
});
