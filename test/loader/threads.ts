import t from "tap";
import { threadModules } from "../../src/loader/threads.ts";
import { makeProject } from "../fixtures/loader/project.ts";

/** Starts `thread.tsx`, and returns its first message. */
const starting = `
  import { once } from "node:events";
  import { Worker } from "node:worker_threads";
  export async function handler() {
    const worker = new Worker(new URL("./thread.tsx", import.meta.url), { workerData: 20 });
    return (await once(worker, "message"))[0];
  }`;

t.test("a thread runs TypeScript as a handler does", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", starting);
  await project.save("node_modules/p/index.js", "exports.p = 1;");
  await project.save("lib/index.ts", "export enum Unit { one = 1 }");
  await project.save("lib/common.cts", "export = { two: 2 };");
  await project.save("jsx/jsx-runtime.ts", "export const jsx = (tag: string) => tag;");
  const thread = (word: string): string => `/** @jsxImportSource ./jsx */
    import { parentPort, workerData } from "node:worker_threads";
    import { Unit } from "./lib";
    import common from "./lib/common.cjs";
    import { p } from "p";
    class Sum { constructor(readonly total: number) {} }
    parentPort!.postMessage([new Sum(workerData + Unit.one + common.two + p).total, <b />, "${word}"]);`;
  await project.save("thread.tsx", thread("v1"));
  t.same(await project.request("a.ts"), [24, "b", "v1"]);
  await project.save("thread.tsx", thread("v2"));
  t.same(await project.request("a.ts"), [24, "b", "v2"], "the next thread has the next text");
});

t.test("a thread has the flags of the process", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", starting);
  await project.save(
    "thread.tsx",
    `import { parentPort } from "node:worker_threads";
     import vm from "node:vm";
     parentPort!.postMessage([typeof vm.SourceTextModule, process.execArgv.join(" ")]);`,
  );
  t.match(await project.request("a.ts"), ["function", "--experimental-vm-modules"]);
  const own = starting.replace("workerData: 20", 'execArgv: ["--no-deprecation"]');
  await project.save("a.ts", own);
  const [type, flags] = (await project.request("a.ts")) as [string, string];
  t.equal(type, "undefined", "those that are given count alone");
  t.match(flags, /^--no-deprecation --import/);
});

t.test("flags that no thread may have", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", starting);
  await project.save(
    "thread.tsx",
    "import('node:worker_threads').then((m) => m.parentPort.postMessage('runs'));",
  );
  const before = process.execArgv;
  process.execArgv = [...before, "--title=x"];
  t.teardown(() => (process.execArgv = before));
  t.equal(await project.request("a.ts"), "runs");
});

t.test("an error of a thread names the line of the author", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", starting);
  await project.save("thread.tsx", "enum E { a }\n\n\nthrow new Error('inside');");
  const error = await project.request("a.ts").catch((reason: unknown) => reason);
  t.match((error as Error).stack, /inside[\s\S]*thread\.tsx:4:7/);
});

t.test("both names, and all that Node exports", async (t) => {
  const { Worker, ...node } = await import("node:worker_threads");
  for (const name of ["worker_threads", "node:worker_threads"]) {
    t.match(threadModules[name], {
      isMainThread: node.isMainThread,
      MessageChannel: node.MessageChannel,
    });
    t.not(Reflect.get(threadModules[name] as object, "Worker"), Worker);
  }
});

t.test("code that is no file", async (t) => {
  const project = await makeProject(t);
  const code = 'require("node:worker_threads").parentPort.postMessage("eval")';
  await project.save(
    "a.ts",
    starting.replace(/new URL.*?\), \{/, `${JSON.stringify(code)}, { eval: true,`),
  );
  t.equal(await project.request("a.ts"), "eval");
});
