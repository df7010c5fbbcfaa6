/** Breakpoints of an editor that is attached to `mod-ts dev --inspect` and `mod-ts run --inspect`. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { Debugger } from "../fixtures/debugger.ts";
import { Running } from "../fixtures/mod-ts.ts";

const files: Record<string, string> = {
  "apache.conf": `
    <Location /handler>\nUse TsHandler handler.ts\n</Location>
    <Location /element>\nUse TsHandler element.tsx\n</Location>
    <FilesMatch "\\.tsp$">\nUse TsHandler mod_ts/pages\n</FilesMatch>\n`,
  "handler.ts": `import type { ApacheRequest } from "mod-ts";
import { help } from "./lib/help.ts";
import "./native.cjs";
interface Unused { gone: string }
const loaded = 1;
export function handler(req: ApacheRequest): void {
  req.write(help("one" as string) + loaded);
}
`,
  "lib/help.ts": `interface Unused { gone: string }
export function help(word: string): string {
  return \`helped \${word}\`;
}
`,
  "native.cjs": "exports.one = 1;\n",
  "element.tsx": `/** @jsxRuntime classic */
/** @jsx h */
const h = (name: string): string => \`<\${name}>\`;
export function handler(req: { write(text: string): void }): void {
  const made = <br />;
  req.write(String(made));
}
`,
  "public/page.tsp": "<p>\n<% const word = 'page'; %>\n<%= word %></p>\n",
};

/** A project in a directory, and a free port for its debugger. */
async function project(t: Test): Promise<{ path(name: string): string; port: number }> {
  const directory = mkdtempSync(join(tmpdir(), "mod-ts-debugger-"));
  chmodSync(directory, 0o755);
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return { path: (name) => join(directory, name), port: await freePort("127.0.0.1") };
}

function dev(t: Test, directory: string, ...argv: string[]): Running {
  const running = new Running("dev", directory, "--port", "0", ...argv);
  t.teardown(async () => {
    const ended = new Promise((resolve) => running.child.once("exit", resolve));
    running.child.kill("SIGTERM");
    await ended;
  });
  return running;
}

t.test("mod-ts dev --inspect", async (t) => {
  const { path, port } = await project(t);
  const running = dev(t, path("."), "--inspect", "--inspect-port", `${port}`);
  const url = /http:\S+/.exec(await running.logged("mod_ts is ready: "))?.[0] ?? "";
  const get = async (name: string): Promise<string> => (await fetch(new URL(name, url))).text();
  const editor = await Debugger.attach(t, port);
  editor.breakAt(path("handler.ts"), 7);
  editor.breakAt(path("lib/help.ts"), 3);
  editor.breakAt(path("element.tsx"), 6);
  editor.breakAt(path("public/page.tsp"), 3);

  let answer = get("handler");
  t.same(await editor.nextPause(), { file: path("handler.ts"), line: 7 }, "stops in a handler");
  t.same(await editor.nextPause(), { file: path("lib/help.ts"), line: 3 }, "and what it imports");
  t.match(await answer, "helped one1", "and goes on");

  answer = get("element");
  t.same(await editor.nextPause(), { file: path("element.tsx"), line: 6 }, "in TSX");
  t.match(await answer, "<br>");

  answer = get("page.tsp");
  t.same(await editor.nextPause(), { file: path("public/page.tsp"), line: 3 }, "in a page");
  t.match(await answer, "page</p>");

  writeFileSync(path("handler.ts"), files["handler.ts"]!.replace('"one"', '"two"'));
  answer = get("handler");
  t.same(await editor.nextPause(), { file: path("handler.ts"), line: 7 }, "after a save as before");
  await editor.nextPause();
  t.match(await answer, "helped two1", "in the new version");

  const closed = editor.closed;
  writeFileSync(path("native.cjs"), "exports.one = 2;\n");
  t.match(await get("page.tsp"), "page</p>", "a new worker serves");
  await closed;
  const next = await Debugger.attach(t, port);
  next.breakAt(path("lib/help.ts"), 3);
  answer = get("handler");
  t.match(await next.nextPause(), { line: 3 }, "and the editor attaches to it at the same port");
  t.match(await answer, "helped two1");
});

t.test("mod-ts dev --inspect-brk", async (t) => {
  const { path, port } = await project(t);
  const running = dev(t, path("."), "--inspect-brk", "--inspect-port", `${port}`);
  await running.logged("Debugger listening");
  const editor = await Debugger.attach(t, port);
  let isReady = false;
  const ready = running.logged("mod_ts is ready: ").finally(() => (isReady = true));
  editor.breakAt(path("handler.ts"), 5);
  await editor.send("Runtime.evaluate", { expression: "1" });
  t.notOk(isReady, "waits for the debugger");
  await editor.send("Runtime.runIfWaitingForDebugger");
  const url = /http:\S+/.exec(await ready)?.[0] ?? "";
  const answer = fetch(new URL("handler", url));
  t.same(await editor.nextPause(), { file: path("handler.ts"), line: 5 }, "stops at the top level");
  t.equal((await answer).status, 200);
});

t.test("mod-ts run --inspect", async (t) => {
  const { path, port } = await project(t);
  const argv = ["handler.ts", "--directory", path("."), "--inspect", "--inspect-port", `${port}`];
  const running = new Running("run", ...argv);
  const ended = new Promise((resolve) => running.child.once("exit", resolve));
  const editor = await Debugger.attach(t, port);
  editor.breakAt(path("lib/help.ts"), 3);
  await editor.send("Runtime.runIfWaitingForDebugger");
  t.same(await editor.nextPause(), { file: path("lib/help.ts"), line: 3 }, "stops");
  editor.detach();
  t.equal(await ended, 0, "and ends when the editor has gone");
});
