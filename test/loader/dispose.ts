import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { answering, makeProject } from "../fixtures/loader/project.ts";

const mistakes: Record<string, { hook: string; message: RegExp }> = {
  throws: { hook: "throw new RangeError('oh');", message: /oh/ },
  rejects: { hook: "return Promise.reject(new RangeError('oh'));", message: /oh/ },
  hangs: { hook: "return new Promise(() => {});", message: /20 ms/ },
};

for (const [name, { hook, message }] of Object.entries(mistakes)) {
  t.test(`a hook that ${name} is logged and stops nothing`, async (t) => {
    const project = await makeProject(t, { disposeTimeout: 20 });
    await project.save("h.ts", "export const dispose = (state) => { state.done = true; };");
    await project.save("a.ts", `import "./h.ts"; export function dispose() { ${hook} }`);
    await project.load("a.ts").then((module) => module.release());
    await project.save("a.ts", answering("next"));
    t.equal(await project.request("a.ts"), "next");
    await sleep(60);
    const errors = project.log.filter(({ level }) => level === "error");
    t.match(errors, [{ message: /dispose of .*a\.ts failed/, error: { message } }]);
    t.equal(project.loader.modules().length, 1);
  });
}

t.test("an export of that name that is no function means nothing", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", "export const dispose = 1;");
  await project.load("a.ts").then((module) => module.release());
  await project.loader.close();
  t.same(project.log, []);
});

t.test("hooks run outside of the request that lets the version go", async (t) => {
  const { AsyncLocalStorage } = await import("node:async_hooks");
  const store = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const project = await makeProject(t, {
    builtins: { probe: { see: () => seen.push(store.getStore()) } },
  });
  await project.save("a.ts", `import { see } from "probe"; export const dispose = () => see();`);
  const module = await project.load("a.ts");
  await project.save("a.ts", answering("next"));
  await project.request("a.ts");
  store.run("mine", () => module.release());
  await sleep(5);
  t.same(seen, [undefined]);
});
