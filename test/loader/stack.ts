import t from "tap";
import { installStackTraces, sourceFrame, userPosition } from "../../src/loader/stack.ts";
import { makeProject, type Project } from "../fixtures/loader/project.ts";

/** A module whose failing line is moved down by types, which vanish. */
const failing = (version: string, lines: number): string =>
  `${"interface A { a: number }\n".repeat(lines)}enum E { one, two }
export function handler(): never {
  const version: string = "${version}";
  throw new TypeError("oh " + version);
}
export const later = async (): Promise<never> => { await null; return handler(); };
`;

async function caught(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

async function failure(project: Project, name: string): Promise<Error> {
  const module = await project.load("a.ts");
  const run = module.exports[name] as () => unknown;
  const error = await caught(run);
  module.release();
  return error;
}

t.test("a thrown and a rejected error show the line of the .ts file", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", failing("v1", 3));
  const file = project.path("a.ts");
  const thrown = await failure(project, "handler");
  t.match(thrown.stack, `TypeError: oh v1\n    at handler (${file}:7:9)`);
  const rejected = await failure(project, "later");
  t.match(rejected.stack, `${file}:7:9`);
  t.match(rejected.stack, `later (${file}:9:`);
  t.notMatch(rejected.stack, "?v=");
});

t.test("a version that a request still runs is mapped, and shown, as it was", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", failing("old", 2));
  const old = await project.load("a.ts");
  await project.save("a.ts", failing("new", 9));
  const recent = await failure(project, "handler");
  const error = await caught(old.exports["handler"] as () => never);
  t.match(error.stack, `${project.path("a.ts")}:6:9`);
  t.match(recent.stack, `${project.path("a.ts")}:13:9`);
  const frame = sourceFrame(error);
  t.match(frame, { file: project.path("a.ts"), line: 6, column: 9 });
  t.match(frame?.text[4], { line: 5, text: '  const version: string = "old";', hit: false });
  t.match(frame?.text[5], { line: 6, text: '  throw new TypeError("oh " + version);', hit: true });
  old.release();
});

t.test("the frame of a cause, when the error itself lies elsewhere", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", failing("v", 1));
  const cause = await failure(project, "handler");
  t.match(sourceFrame(new Error("wrapped", { cause })), { line: 5 });
  t.equal(userPosition(new Error("wrapped", { cause })), undefined);
  const circle = new Error("circle");
  circle.cause = circle;
  for (const other of [new Error("elsewhere"), circle, "text", undefined, null]) {
    t.equal(sourceFrame(other), undefined);
  }
});

t.test("the frame of a build that failed", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", "type A = 1;\nexport const x: A = ;\n");
  const error = await caught(() => project.load("a.ts"));
  t.match(sourceFrame(error), { file: project.path("a.ts"), line: 2, column: 21 });
  t.match(sourceFrame(error)?.text[1], { hit: true, text: "export const x: A = ;" });
});

t.test("a library that overrides prepareStackTrace", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", failing("v", 3));
  const mine = Error.prepareStackTrace;
  t.teardown(() => (Error.prepareStackTrace = mine));
  Error.prepareStackTrace = (error, sites) => `${error.message}\n${sites.join("\n")}`;
  t.match(sourceFrame(await failure(project, "handler")), { line: 7, column: 9 });
  Error.prepareStackTrace = (_error, sites) => sites;
  t.equal(sourceFrame(await failure(project, "handler")), undefined);
  Error.prepareStackTrace = () => {
    throw new Error("broken library");
  };
  await project.save("a.ts", failing("v2", 1));
  t.equal(sourceFrame(await failure(project, "handler").catch(() => undefined)), undefined);
});

t.test("errors that are hard to print", (t) => {
  installStackTraces();
  const nasty = new Error("nasty");
  Object.defineProperty(nasty, "name", {
    get() {
      throw new Error("getter");
    },
  });
  t.match(nasty.stack, "at ");
  try {
    t.fail(new URL("nowhere").href);
  } catch (error) {
    t.match((error as Error).stack, "TypeError [ERR_INVALID_URL]: Invalid URL");
  }
  t.end();
});

t.test("maps of the last three versions are kept", async (t) => {
  const project = await makeProject(t);
  const held = [];
  for (const version of ["one", "two", "three", "four"]) {
    await project.save("a.ts", failing(version, 2));
    held.push(await project.load("a.ts"));
  }
  const errors = await Promise.all(held.map(({ exports }) => caught(exports["handler"] as never)));
  t.same(
    errors.map((error) => sourceFrame(error)?.line),
    [undefined, 6, 6, 6],
  );
  for (const module of held) module.release();
});
