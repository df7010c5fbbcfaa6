/** Breakpoints of an editor: set by a pattern of the file's URL, before and after a save. */
import inspector from "node:inspector";
import { Session } from "node:inspector/promises";
import { type AddressInfo, createServer } from "node:net";
import { pathToFileURL } from "node:url";
import t from "tap";
import { closeInspector, isDebugged, openInspector } from "../../src/loader/debugger.ts";
import { answering, makeProject } from "../fixtures/loader/project.ts";
import { until } from "../fixtures/until.ts";

/** As js-debug of VS Code sends it. */
const patternOf = (file: string): string =>
  `^${pathToFileURL(file).href.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}($|\\?)`;

t.test("a breakpoint binds in a handler and in what it imports, also after a save", async (t) => {
  const session = new Session();
  session.connect();
  t.teardown(() => session.disconnect());
  await session.post("Debugger.enable");
  const project = await makeProject(t, {});
  await project.save("lib/help me.ts", "export const help = () => 'helped';");
  const handler = (word: string): string =>
    `import { help } from "./lib/help me.ts";\n${answering(word)}\nexport const used = help();`;
  await project.save("a.ts", handler("one"));
  const bound = async (name: string): Promise<number> => {
    const urlRegex = patternOf(project.path(name));
    const { breakpointId, locations } = await session.post("Debugger.setBreakpointByUrl", {
      lineNumber: 0,
      urlRegex,
    });
    await session.post("Debugger.removeBreakpoint", { breakpointId });
    return locations.length;
  };
  t.equal(await project.request("a.ts"), "one");
  t.equal(await bound("a.ts"), 1, "in the handler");
  t.equal(await bound("lib/help me.ts"), 1, "in an imported file, whose URL is escaped");
  await project.save("a.ts", handler("two"));
  t.equal(await project.request("a.ts"), "two");
  t.equal(await bound("a.ts"), 2, "in the version that requests may still run, and in the new one");
});

t.test("the port passes on to the next worker", async (t) => {
  t.notOk(isDebugged());
  const earlier = createServer();
  await new Promise<void>((resolve) => earlier.listen(0, "127.0.0.1", resolve));
  const { port } = earlier.address() as AddressInfo;
  await openInspector({ port, waits: false });
  t.equal(inspector.url(), undefined, "the worker before still has it");
  t.ok(isDebugged(), "code that is compiled meanwhile has a source map");
  earlier.close();
  await until(() => inspector.url() ?? "", `ws://127.0.0.1:${port}/`);
  closeInspector();
  t.equal(inspector.url(), undefined);
  t.notOk(isDebugged());
  await openInspector({ port, waits: false });
  t.match(inspector.url(), `:${port}/`, "at once where it is free");
  closeInspector();
});
