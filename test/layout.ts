/**
 * The layout of `src/`: imports point down the floors, neighbors stay apart, and nothing goes in a circle.
 * `docs/architecture.md` shows the same picture.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import t from "tap";
import { filesOf, inImages, ownProcess, rooms as testRooms } from "./fixtures/rooms.ts";

const src = resolve(import.meta.dirname, "../src");

/** Lowest first; a name is a file or a directory of `src/`. */
const floors = [
  ["base"],
  ["loader", "request", "supervisor", "httpd"],
  ["engine"],
  [
    "sessions",
    "handlers",
    "gateway",
    "authorizer",
    "decider",
    "access-log",
    "background",
    "connections",
  ],
  ["config"],
  ["worker.ts"],
  ["testing"],
  ["cli"],
];

/** Rooms on one floor that do not know each other. */
const apart = floors.filter((rooms) => rooms.length > 1);

const nameOf = (file: string): string => relative(src, file);
const roomOf = (file: string): string => nameOf(file).split("/")[0] ?? "";
const floorOf = (file: string): number => floors.findIndex((rooms) => rooms.includes(roomOf(file)));

/** All that a file imports or re-exports, by path; type imports count, too. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8").replaceAll(/^\s*\*.*$/gm, "");
  const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map(([, path = ""]) => resolve(dirname(file), path));
}

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(src, name));
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const edges = [...imports].flatMap(([file, targets]) =>
  targets.map((target) => ({ file, target, name: `${nameOf(file)} -> ${nameOf(target)}` })),
);

/** The first circle that can be reached from a file. */
function findCircle(start: string): string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return [];
    done.add(file);
    for (const target of imports.get(file) ?? []) {
      const circle = visit(target, [...path, file]);
      if (circle.length > 0) return circle;
    }
    return [];
  };
  return visit(start, []);
}

// A file that runs alone has 30 seconds by default, too few for a busy machine.
t.setTimeout(600_000);

t.test("imports point down", (t) => {
  for (const file of files.filter((name) => roomOf(name) !== "index.ts")) {
    t.not(floorOf(file), -1, `${nameOf(file)} has a floor`);
  }
  for (const { file, target, name } of edges) {
    if (roomOf(file) === "index.ts") continue;
    // The worker gives handler modules the public API.
    if (roomOf(file) === "worker.ts" && roomOf(target) === "index.ts") continue;
    t.ok(floorOf(target) >= 0 && floorOf(target) <= floorOf(file), name);
  }
  t.end();
});

t.test("the public API brings the contract and no server", (t) => {
  for (const target of imports.get(join(src, "index.ts")) ?? []) {
    const isPublisher = roomOf(target) === "handlers";
    t.ok(isPublisher || floorOf(target) <= 2, `index.ts -> ${nameOf(target)}`);
  }
  t.end();
});

t.test("transports do not know each other, nor do the rooms of the floor below the engine", (t) => {
  for (const { file, target, name } of edges) {
    const met = apart.some(
      (rooms) =>
        rooms.includes(roomOf(file)) &&
        rooms.includes(roomOf(target)) &&
        roomOf(file) !== roomOf(target),
    );
    t.notOk(met, name);
  }
  t.end();
});

t.test("no built-in handler imports another", (t) => {
  const builtIn = (file: string): string => nameOf(file).split("/")[1] ?? "";
  for (const { file, target, name } of edges) {
    if (roomOf(file) !== "handlers" || roomOf(target) !== "handlers") continue;
    t.equal(builtIn(target), builtIn(file), name);
  }
  t.end();
});

t.test("no circle, imports of types included", (t) => {
  for (const file of files) {
    t.equal(findCircle(file).map(nameOf).join(" -> "), "", nameOf(file));
  }
  t.end();
});

t.test("files stay short enough to read in one go", (t) => {
  const lengths = files.map((file) => readFileSync(file, "utf8").split("\n").length);
  for (const [index, file] of files.entries()) {
    t.ok((lengths[index] ?? 0) <= 400, `${nameOf(file)} has at most 400 lines`);
  }
  t.end();
});

/** Sources without a test file at their path, and what tests them. */
const testedElsewhere: Readonly<Record<string, string>> = {
  "cli/type-check/contracts.ts": "cli/type-check/check-types.ts",
  // Types and constants only.
  "request/exchange.ts": "gateway/http-exchange.ts",
  "request/methods.ts": "index.ts",
  "request/session.ts": "sessions/sessions.ts",
  "supervisor/pool-options.ts": "supervisor/pool.ts",
  "supervisor/supervisor-options.ts": "supervisor/supervisor.ts",
  // Ends its process.
  "engine/strays.ts": "apache/strays.ts",
  // Runs in a thread that the other one starts.
  "supervisor/watchdog-thread.cjs": "supervisor/watchdog.ts",
};

t.test("each source has a test at its path, or a line that names what tests it", (t) => {
  const sources = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.[cm]?ts$|\.cjs$/.test(name),
  );
  const isThere = (name: string): boolean =>
    existsSync(join(import.meta.dirname, name.replace(/\.cjs$/, ".ts")));
  const untested = sources.filter((name) => !isThere(name) && !(name in testedElsewhere));
  t.same(untested, [], "a new source comes with its test");
  for (const [source, test] of Object.entries(testedElsewhere)) {
    t.ok(sources.includes(source) && !isThere(source), `${source} still needs its line`);
    t.ok(isThere(test), `${test} is there`);
  }
  t.end();
});

t.test("every test file runs once: in its room, or in a process of its own", (t) => {
  const names = Object.keys(testRooms) as (keyof typeof testRooms)[];
  const run = [...ownProcess(), ...inImages, ...names.flatMap(filesOf)];
  const test = import.meta.dirname;
  const there = readdirSync(test, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.startsWith("fixtures/"))
    .map((name) => `test/${name}`);
  t.same(run.toSorted(), there.toSorted());
  const units = readdirSync(join(test, "unit")).map((name) => name.replace(".ts", ""));
  t.same(units.toSorted(), names.toSorted(), "each room has its file in test/unit/");
  t.end();
});
