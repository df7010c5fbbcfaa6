import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  builtInNames,
  optionNames,
  requiredOptions,
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
