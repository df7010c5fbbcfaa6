import { pathToFileURL } from "node:url";
import t from "tap";
import { makeProject } from "../fixtures/loader/project.ts";

t.test("import.meta as Node has it", async (t) => {
  const project = await makeProject(t);
  await project.save("lib/b.ts", "");
  await project.save("node_modules/p/package.json", '{ "main": "p.js" }');
  await project.save("node_modules/p/p.js", "");
  await project.save(
    "lib/a.ts",
    `const { url, dirname, filename, resolve } = import.meta;
     export const handler = () => ({ url, dirname, filename,
       resolved: ["./b.js", "./none.txt", "p", "fs", "node:fs", "https://a/b"].map((s) => resolve(s)) });`,
  );
  const href = (name: string): string => pathToFileURL(project.path(name)).href;
  t.same(await project.request("lib/a.ts"), {
    url: href("lib/a.ts"),
    dirname: project.path("lib"),
    filename: project.path("lib/a.ts"),
    resolved: [
      href("lib/b.ts"),
      href("lib/none.txt"),
      href("node_modules/p/p.js"),
      "node:fs",
      "node:fs",
      "https://a/b",
    ],
  });
});

t.test("state belongs to the path", async (t) => {
  const project = await makeProject(t);
  for (const name of ["a.ts", "b.ts"]) {
    await project.save(
      name,
      "export const handler = () => import.meta.state.n = (import.meta.state.n ?? 0) + 1;",
    );
  }
  await project.request("a.ts");
  project.loader.reload();
  t.same([await project.request("a.ts"), await project.request("b.ts")], [2, 1]);
});
