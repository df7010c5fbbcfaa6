import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { filesAndCopies } from "../../src/base/backup-files.ts";
import { harmlessNames, sourceNames } from "../fixtures/source-names.ts";

const sources = filesAndCopies("[mc]?ts|tsx|tsp");

t.test("files of these kinds, and what is left behind of them", async (t) => {
  for (const name of sourceNames) t.match(name, sources);
  for (const name of harmlessNames) t.notMatch(name, sources);
});

t.test("mod_ts.conf has the same pattern", async (t) => {
  const conf = readFileSync(join(import.meta.dirname, "../../apache-conf/mod_ts.conf"), "utf8");
  const patterns = [...conf.matchAll(/<FilesMatch "\(\?i\)(.*tsp.*)">/g)].map(([, text]) => text!);
  t.equal(patterns.length, 2);
  const copies = /\[\^[^$]*\$/;
  for (const text of patterns) {
    t.equal(copies.exec(text)?.[0].replace("0-9]", "0-9/]"), copies.exec(sources.source)?.[0]);
  }
});
