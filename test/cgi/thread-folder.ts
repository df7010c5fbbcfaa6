/** The folder that a script works in. */
import t from "tap";
import { runScript } from "../fixtures/script.ts";

t.test("files by relative names", async (t) => {
  const before = process.cwd();
  const code = `
    import fs, { createReadStream, promises, readFileSync } from "node:fs";
    import { readFile } from "node:fs/promises";
    import { text } from "node:stream/consumers";
    fs.writeFileSync("a.txt", "a");
    fs.renameSync("a.txt", "b.txt");
    fs.mkdirSync("sub");
    fs.symlinkSync("../b.txt", "sub/link");
    fs.readFile("b.txt", "utf8", async (error, content) => {
      console.log(JSON.stringify([
        content, readFileSync("sub/link", "utf8"), await readFile("b.txt", "utf8"), await promises.readFile("./b.txt", "utf8"),
        await text(createReadStream("b.txt")), fs.existsSync("a.txt"), fs.realpathSync.native("b.txt") === process.cwd() + "/b.txt",
      ]));
    });
  `;
  const { stdout, end } = await runScript(t, code);
  t.match(end, { kind: "done" }, String(end.error));
  t.strictSame(JSON.parse(stdout || "[]"), ["a", "a", "a", "a", "a", false, true]);
  t.equal(process.cwd(), before);
});

t.test("child processes, each way to start one", async (t) => {
  const code = `
    import { exec, execFile, execFileSync, execSync, spawn, spawnSync } from "node:child_process";
    import { promisify } from "node:util";
    import { text } from "node:stream/consumers";
    const all = [
      execSync("pwd"), execFileSync("pwd"), execFileSync("sh", ["-c", "pwd"]), spawnSync("pwd").stdout,
      spawnSync("pwd", undefined, {}).stdout, await text(spawn("pwd", []).stdout), (await promisify(exec)("pwd")).stdout,
      await new Promise((resolve) => execFile("pwd", (error, out) => resolve(out))),
      await new Promise((resolve) => exec("pwd", { encoding: "utf8" }, (error, out) => resolve(out))),
    ];
    const here = all.every((path) => String(path) === process.cwd() + "\\n");
    console.log(here, String(execSync("pwd", { cwd: "/" })).trim(), String(execSync("echo $A")).trim());
  `;
  const { stdout, end } = await runScript(t, code, {
    name: "a.mts",
    env: { A: "env", PATH: process.env["PATH"] ?? "" },
  });
  t.match(end, { kind: "done" }, String(end.error));
  t.equal(stdout, "true / env\n");
});

t.test("child processes of CommonJS", async (t) => {
  const code = `const { execSync } = require("child_process"); console.log(String(execSync("pwd")) === process.cwd() + "\\n");`;
  t.match(await runScript(t, code, { name: "a.cjs" }), { stdout: "true\n", end: { kind: "done" } });
});

t.test("it may move", async (t) => {
  const code = `process.chdir("/"); console.log(process.cwd(), require("node:fs").existsSync("tmp")); process.chdir("no-such-folder");`;
  const { stdout, end } = await runScript(t, code, { name: "a.cjs" });
  t.equal(stdout, "/ true\n");
  t.match((end.error as Error).message, /ENOENT.*\/no-such-folder/);
});
