import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  builtInNames,
  optionNames,
  requiredOptions,
  wrongNumber,
  wrongWord,
} from "../../../src/cli/check/known-options.ts";
import { tableRows } from "../../fixtures/markdown.ts";
import { modTs } from "../../fixtures/mod-ts.ts";

t.test("the options are those of the documentation", (t) => {
  const docs = join(import.meta.dirname, "../../../docs");
  const described = readdirSync(docs)
    .filter((name) => name.endsWith(".md"))
    .flatMap((name) => tableRows(readFileSync(join(docs, name), "utf8")))
    .flatMap(([key = ""]) => (/^mod_ts\.[\w.-]+$/.test(key) ? [key] : []));
  t.same([...optionNames].toSorted(), [...new Set(described)].toSorted());
  t.end();
});

t.test("the built-in handlers are those of the sidecar", async (t) => {
  const { stderr } = await modTs("run", "mod_ts/none", "--directory", t.testdir({}));
  const named = /expected one of (mod_ts\/[\w/, -]*\w)/.exec(stderr)?.[1]?.split(", ") ?? [];
  t.same(named.toSorted(), builtInNames.map((name) => `mod_ts/${name}`).toSorted());
});

t.test("what is required is what the handlers ask for", async (t) => {
  for (const name of ["fastify", "fetch", "login", "node"].map((each) => `mod_ts/${each}`)) {
    const { stdout, stderr } = await modTs("run", name, "--directory", t.testdir({}));
    const [[option = ""] = []] = requiredOptions(name);
    t.match(stdout + stderr, `invalid option ${option}: missing`);
  }
});

/** Text of a file of `src/`. */
function source(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../../src", name), "utf8");
}

t.test("the presets are those of the handler", (t) => {
  const [, table = ""] =
    /const presets: .*? = \{(.*?)\n\};/s.exec(source("handlers/auth/forward-auth.ts")) ?? [];
  const presets = [...table.matchAll(/^  "?([\w-]+)"?:/gm)].map(([, name]) => name);
  const { expected = [] } = wrongWord("mod_ts.forward-auth.preset", "none") ?? {};
  t.same([...expected].toSorted(), presets.toSorted());
  t.end();
});

t.test("the bounds are those of the handlers", (t) => {
  const year = 366 * 86_400;
  const constants: Readonly<Record<string, number>> = {
    "366 * 86_400": year,
    maxSeconds: 10 * year,
    least: 0,
    "slotMs / 1000": 10,
    longestTicket: 3600,
  };
  const numberOf = (text: string): number => constants[text] ?? Number(text.replaceAll("_", ""));
  const files: Readonly<Record<string, readonly string[]>> = {
    "handlers/cgi/script-host.ts": ["cgi"],
    "handlers/origin/origin-options.ts": ["origin"],
    "handlers/auth/forward-auth.ts": ["forward-auth"],
    "handlers/auth/jwt.ts": ["jwt"],
    "handlers/auth/credentials/login-realm.ts": ["login"],
    "handlers/auth/credentials/stores.ts": ["htpasswd", "sql"],
    "authorizer/tickets.ts": ["ticket"],
    "sessions/session-settings.ts": ["session"],
  };
  for (const [file, handlers] of Object.entries(files)) {
    const calls = source(file).matchAll(/\.number\("(\w+)", .*, \[(.+), (.+)\]\)/g);
    for (const [, key, from = "", to = ""] of calls) {
      for (const handler of handlers) {
        const name = `mod_ts.${handler}.${key}`;
        const [least, greatest] = [numberOf(from), numberOf(to)];
        t.same(wrongNumber(name, String(greatest + 1)), { least, greatest }, name);
        t.equal(wrongNumber(name, String(least)), undefined);
      }
    }
  }
  t.same(wrongNumber("mod_ts.form.files", "-1"), { least: 0, greatest: 1e12 });
  t.same(wrongNumber("mod_ts.login.attempts", "0"), { least: 1, greatest: 1000 });
  t.equal(wrongNumber("mod_ts.cgi.memory", "env:MEMORY"), undefined);
  t.end();
});
