import t from "tap";
import { answering, makeProject } from "../fixtures/loader/project.ts";

t.test("what was loaded for a build that failed is seen by nobody", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const x = 1;");
  await project.save("a.ts", `import { x } from "./h.ts"; export const handler = () => x;`);
  await project.save("b.ts", `export const handler = async () => (await import("./h.ts")).x;`);
  t.equal(await project.request("a.ts"), 1);
  await project.save("h.ts", "export const x = 2;");
  await project.save("a.ts", `import { x } from "./h.ts"; throw new Error("oh");`);
  t.equal(await project.request("a.ts"), 1);
  t.match(project.loader.modules(), [
    { file: project.path("a.ts"), generation: 1 },
    { file: project.path("h.ts"), generation: 1 },
  ]);
  t.equal(await project.request("b.ts"), 2);
});

t.test(
  "a failed import() that the module catches may be tried again, together with others",
  async (t) => {
    const project = await makeProject(t);
    await project.save("bad.ts", `import "no-such-package"; export const x = 1;`);
    await project.save("worse.ts", `import "./bad.ts"; import "./none.ts";`);
    await project.save("good.ts", `import { sep } from "node:path"; export const x = sep;`);
    await project.save(
      "a.ts",
      `const all = ["./bad.ts", "./worse.ts", "./good.ts", "./bad.ts", "./worse.ts", "node:os", "./data.json", "./c.cjs"];
     const results = await Promise.all(all.map((name) => import(name).then(() => "good", (error) => error.name)));
     export const handler = () => results.join(" ");`,
    );
    await project.save("data.json", "1");
    await project.save("c.cjs", "exports.c = 1;");
    const expected = "BuildError BuildError good BuildError BuildError good good good";
    t.equal(await project.request("a.ts"), expected);
  },
);

t.test("a file that cannot be read", { skip: process.getuid?.() === 0 }, async (t) => {
  const { chmod } = await import("node:fs/promises");
  const project = await makeProject(t);
  await project.save("a.ts", answering("a"));
  await chmod(project.path("a.ts"), 0);
  await t.rejects(project.request("a.ts"), /cannot be read: EACCES/);
});

t.test("import() in a module that was given up", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", `globalThis.given = () => import("./h.ts"); throw new Error("oh");`);
  await project.save("h.ts", "export {};");
  await t.rejects(project.request("a.ts"), /oh/);
  await t.rejects(Reflect.get(globalThis, "given")(), /was given up while it was being loaded/);
  Reflect.deleteProperty(globalThis, "given");
});

t.test("a file that is no code is a mistake of the line that imports it", async (t) => {
  const project = await makeProject(t);
  await project.save("x.txt", "text");
  const advice = 'read it: readFileSync(new URL("./x.txt", import.meta.url), "utf8") ';
  for (const [index, line] of [
    'import x from "./x.txt"; export { x };',
    'import x from "./x.txt" with { type: "text" }; export { x };',
    'await import("./x.txt");',
    'import "./x.txt?raw";',
  ].entries()) {
    const name = `${index}.ts`;
    await project.save(name, `\n${line}\n${answering("it")}`);
    const message = `${advice}(${project.path(name)}:2:`;
    t.match(await project.request(name).catch((reason: unknown) => reason), { message }, line);
  }
});
