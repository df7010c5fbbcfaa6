import { pathToFileURL } from "node:url";
import t from "tap";
import { makeProject } from "../fixtures/loader/project.ts";

t.test("import.meta as Node has it", async (t) => {
  const project = await makeProject(t);
  await project.save("lib/b.ts", "");
  const entries = { exports: { import: "./p.js", require: "./no.cjs" } };
  await project.save("node_modules/p/package.json", JSON.stringify(entries));
  await project.save("node_modules/p/p.js", "");
  await project.save(
    "lib/a.ts",
    `const { url, dirname, filename, main, resolve } = import.meta;
     export const handler = () => ({ url, dirname, filename, main,
       resolved: ["./b.js", "./none.txt", "p", "fs", "node:fs", "https://a/b"].map((s) => resolve(s)) });`,
  );
  const href = (name: string): string => pathToFileURL(project.path(name)).href;
  t.same(await project.request("lib/a.ts"), {
    url: href("lib/a.ts"),
    dirname: project.path("lib"),
    filename: project.path("lib/a.ts"),
    main: false,
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
  const counting =
    "export const handler = () => import.meta.state.n = (import.meta.state.n ?? 0) + 1;";
  for (const name of ["a.ts", "b.ts"]) await project.save(name, counting);
  await project.request("a.ts");
  await project.save("a.ts", `${counting} // again`);
  t.same([await project.request("a.ts"), await project.request("b.ts")], [2, 1]);
});
