/** Large files are compiled while the process goes on answering. */
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { largeFile, UncompiledFile } from "../../src/loader/aside.ts";
import { pageLanguage, translatePage } from "../../src/handlers/pages/translate.ts";
import * as face from "../../src/index.ts";
import { makeProject } from "../fixtures/loader/project.ts";

const rowCount = 15_000;
const data = Array.from(
  { length: rowCount },
  (_, line) => `  { id: ${line}, name: "row ${line}" },`,
);
const large = `type Row = { id: number; name: string };
const rows: Row[] = [\n${data.join("\n")}\n];
export const handler = (): string => rows[${rowCount - 1}]!.name;`;

const lastRow = `row ${rowCount - 1}`;

t.test("requests are answered between the start and the end of a large compilation", async (t) => {
  const project = await makeProject(t);
  await project.save("small.ts", 'export const handler = () => "small";');
  await project.save("large.ts", large);
  await project.save("importer.ts", 'export { handler } from "./large.ts";');
  t.equal(await project.request("small.ts"), "small");
  for (const name of ["large.ts", "importer.ts"]) {
    const state = { done: false, answered: 0 };
    const loading = project.request(name).finally(() => (state.done = true));
    while (!state.done) {
      if ((await project.request("small.ts")) === "small") state.answered += 1;
      await turn();
    }
    t.equal(await loading, lastRow, name);
    if (name === "large.ts") t.ok(state.answered > 5, `${state.answered} answers meanwhile`);
  }
  const held = await project.load("large.ts");
  t.strictSame([...held.declared], ["handler"]);
  held.release();
});

t.test("an error in a large file has its place and its text, once for each save", async (t) => {
  const project = await makeProject(t);
  await project.save("bad.ts", `${large}\nconst = 1;`);
  for (let count = 0; count < 2; count += 1) {
    const error = (await project.request("bad.ts").catch((thrown: unknown) => thrown)) as Error;
    t.match(error, {
      code: "MODTS_BUILD_FAILED",
      cause: { name: "BuildError", line: rowCount + 5 },
    });
    t.match((error.cause as Error).stack, /const = 1;/);
  }
  await project.save("bad.ts", large);
  t.equal(await project.request("bad.ts"), lastRow);
  await project.save("bad.ts", `${large}\n)`);
  t.equal(await project.request("bad.ts"), lastRow, "the last good version serves");
});

t.test("a large page is translated in the thread, too", async (t) => {
  const languages = { ".tsp": translatePage };
  const languageModules = { ".tsp": pageLanguage };
  const builtins = { "mod-ts": face };
  const project = await makeProject(t, { languages, languageModules, builtins });
  const page = `<p><%= 1 + 1 %></p>${" ".repeat(80)}\n`.repeat(largeFile / 80);
  await project.save("page.tsp", page);
  let turns = 0;
  const state = { done: false };
  const loading = project.load("page.tsp").finally(() => (state.done = true));
  while (!state.done) {
    turns += 1;
    await turn();
  }
  const module = await loading;
  t.ok(turns > 5, `${turns} turns of the event loop meanwhile`);
  t.type(module.exports["$render"], "function");
  module.release();
});

t.test("a small file needs no thread", async (t) => {
  const project = await makeProject(t);
  await project.save("small.ts", 'export const handler = () => "small";');
  t.equal(await project.request("small.ts"), "small");
  t.match(new UncompiledFile("/a.ts", ""), { file: "/a.ts", message: /a\.ts/ });
});
