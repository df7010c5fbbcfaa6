/**
 * Imports point down: a file may import from its own floor or below, and some neighbours must not meet at all.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import t from "tap";

const src = resolve(import.meta.dirname, "../src");

/** Lowest first; a name is a file or a folder of `src/`. */
const floors = [
  [
    "errors.ts",
    "built-in-errors.ts",
    "http-error.ts",
    "http-status.ts",
    "outcome.ts",
    "channels.ts",
    "log.ts",
    "html.ts",
    "promise-like.ts",
    "left-overs.ts",
    "version.ts",
    "closest.ts",
    "secret.ts",
    "signed-token.ts",
    "process-identity.ts",
    "section-options.ts",
  ],
  [
    "request",
    "loader",
    "httpd",
    "ask-service.ts",
    "credentials",
    "supervisor.ts",
    "pool.ts",
    "listener.ts",
    "inherited-socket.ts",
    "run-folder.ts",
    "worker-process.ts",
  ],
  ["handler.ts", "published.ts", "sessions", "pages"],
  [
    "directives.ts",
    "notes.ts",
    "basic-authen.ts",
    "call-handler.ts",
    "resolver.ts",
    "error-page.ts",
    "debug-page.ts",
    "respond.ts",
    "phase-runner.ts",
    "phases.ts",
    "publisher",
    "cgi",
    "adapters",
    "origin",
    "handlers",
    "type-check",
  ],
  ["gateway", "authorizer"],
  ["config-shape.ts", "config.ts", "config-file.ts", "config-child.ts", "worker.ts"],
  ["commands", "cli.ts"],
];

/** Same floor, but they must not know each other. */
const strangers = [
  ["request", "loader", "httpd", "credentials", "supervisor.ts"],
  ["gateway", "authorizer"],
  ["sessions", "pages"],
  ["publisher", "cgi", "adapters", "origin", "phases.ts"],
];

const topOf = (file: string): string => relative(src, file).split("/")[0] ?? "";
const floorOf = (file: string): number => floors.findIndex((names) => names.includes(topOf(file)));

const imports = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    resolve(dirname(file), match[1] as string),
  );

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(src, name));

t.test("every file stands on a floor and imports none above it", (t) => {
  for (const file of files.filter((name) => topOf(name) !== "index.ts")) {
    t.not(floorOf(file), -1, `${relative(src, file)} stands on a floor`);
    for (const target of imports(file)) {
      if (topOf(file) === "worker.ts" && topOf(target) === "index.ts") continue;
      const edge = `${relative(src, file)} -> ${relative(src, target)}`;
      t.ok(floorOf(target) >= 0 && floorOf(target) <= floorOf(file), edge);
    }
  }
  t.end();
});

t.test("what a handler module imports brings the contract and no server", (t) => {
  for (const target of imports(join(src, "index.ts"))) {
    t.ok(floorOf(target) <= 2, `index.ts -> ${relative(src, target)}`);
  }
  t.end();
});

t.test("neighbours that must not meet", (t) => {
  for (const file of files) {
    const group = strangers.find((names) => names.includes(topOf(file)));
    for (const target of group ? imports(file) : []) {
      const meets = topOf(target) !== topOf(file) && group?.includes(topOf(target));
      t.notOk(meets, `${relative(src, file)} -> ${relative(src, target)}`);
    }
  }
  t.end();
});

t.test("a standard handler imports no other", (t) => {
  for (const file of files.filter((name) => topOf(name) === "handlers")) {
    for (const target of imports(file)) {
      t.not(topOf(target), "handlers", `${relative(src, file)} -> ${relative(src, target)}`);
    }
  }
  t.end();
});

t.test("files stay short enough to read in one go", (t) => {
  const lengths = files.map((file) => readFileSync(file, "utf8").split("\n").length);
  for (const [index, file] of files.entries()) {
    t.ok((lengths[index] ?? 0) <= 400, `${relative(src, file)} has at most 400 lines`);
  }
  const median = lengths.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)] ?? 0;
  t.ok(median <= 120, `the median file has ${median} lines, at most 120`);
  t.end();
});
