import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { configNames, loadConfig } from "../../src/config/config-file.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

t.test("a folder without a configuration gives the defaults", async (t) => {
  const folder = shortFolder(t);
  const config = await loadConfig(folder);
  t.same(config.handlers, [folder]);
  t.equal(config.file, join(folder, "mod-ts.config.ts"));
});

const source = (module: string): string => `
  import { defineConfig } from "${module}";
  import { age } from "./age.ts";
  interface Local { a: number }
  const local: Local = { a: age };
  export default defineConfig({ run: "here", keepAlive: local.a });`;

t.test("TypeScript, where no mod-ts is installed", async (t) => {
  const folder = shortFolder(t, {
    "age.ts": "export const age: number = 1234;",
    "mod-ts.config.ts": source("mod-ts/config"),
    "other.ts": source("mod-ts"),
  });
  t.match(await loadConfig(folder), { run: join(folder, "here"), keepAlive: 1234 });
  t.match(await loadConfig(join(folder, "other.ts")), { keepAlive: 1234 }, "a file by its name");
});

t.test("every kind of file, the first one wins", async (t) => {
  for (const [index, name] of configNames.entries()) {
    const more = Object.fromEntries(
      configNames
        .slice(index)
        .map((other, offset) => [
          other,
          other.endsWith(".json")
            ? `{"keepAlive":${offset}}`
            : `export default { keepAlive: ${offset} };`,
        ]),
    );
    const config = await loadConfig(shortFolder(t, more));
    t.equal(config.keepAlive, 0, name);
  }
});

t.test("times of jobs are judged in every kind of file", async (t) => {
  const config = (cron: string): string =>
    JSON.stringify({ background: { schedule: { nightly: { cron, run: "a.ts" } } } });
  for (const [name, begin] of [
    ["mod-ts.config.json", ""],
    ["mod-ts.config.ts", "export default "],
  ] as const) {
    const good = await loadConfig(shortFolder(t, { [name]: begin + config("0 3 * * *") }));
    t.match(good.background.schedule, { nightly: { cron: "0 3 * * *" } }, name);
    const wrong = shortFolder(t, { [name]: begin + config("0 0 30 2 *") });
    const expected = { code: "MODTS_CONFIG_INVALID", message: /nightly: .* never matches a date/ };
    await t.rejects(loadConfig(wrong), expected, name);
  }
});

t.test("overrides win", async (t) => {
  const folder = shortFolder(t, { "mod-ts.config.json": '{"development":false,"keepAlive":7}' });
  t.match(await loadConfig(folder, { development: true }), { development: true, keepAlive: 7 });
});

t.test("nothing of it runs in this process, and nothing stays behind", async (t) => {
  const folder = shortFolder(t, {
    "mod-ts.config.ts": `
      import { writeFileSync } from "node:fs";
      globalThis.polluted = true;
      setInterval(() => {}, 1000);
      writeFileSync(new URL("pid", import.meta.url), String(process.pid));
      export default {};`,
  });
  await loadConfig(folder);
  t.notOk("polluted" in globalThis);
  const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  t.not(pid, process.pid);
  t.throws(() => process.kill(pid, 0), "it has ended");
});

t.test("mistakes, all at once, even where they are not data", async (t) => {
  const folder = shortFolder(t, {
    "mod-ts.config.ts": `export default { handlers: () => ["."], keepAlive: 5n, run: Symbol("x"), lisen: 1 };`,
  });
  await t.rejects(loadConfig(folder), {
    code: "MODTS_CONFIG_INVALID",
    message: /errors: 4\)\n[^]*a function[^]*a bigint[^]*a symbol[^]*did you mean listen/,
  });
});

t.test("files that cannot be read", async (t) => {
  const cases = {
    "syntax.ts": ["export default {{", /syntax\.ts/],
    "throws.ts": ["throw new Error('on purpose')", /on purpose/],
    "exits.ts": ["process.exit(0)", /process\.exit was called/],
    "none.ts": ["export const config = {};", /default/],
    "import.ts": ['import "./missing.ts"; export default {};', /missing\.ts/],
    "broken.json": ["{", /JSON/],
  } as const;
  const folder = shortFolder(
    t,
    Object.fromEntries(Object.entries(cases).map(([name, [text]]) => [name, text])),
  );
  for (const [name, [, message]] of Object.entries(cases)) {
    const code = "MODTS_CONFIG_UNREADABLE";
    await t.rejects(loadConfig(join(folder, name)), { code, message }, name);
  }
  await t.rejects(loadConfig(join(folder, "nowhere")), {
    code: "MODTS_CONFIG_UNREADABLE",
    message: /no such file or directory/,
  });
});
