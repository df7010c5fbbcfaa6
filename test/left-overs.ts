import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { filesAndLeftOvers } from "../src/left-overs.ts";
import { harmlessNames, sourceNames } from "./fixtures/source-names.ts";

const sources = filesAndLeftOvers("[mc]?ts|tsx|tsp");

t.test("files of these kinds, and what is left behind of them", async (t) => {
  for (const name of sourceNames) t.match(name, sources);
  for (const name of harmlessNames) t.notMatch(name, sources);
});

t.test("mod_ts.conf names the same endings", async (t) => {
  const conf = readFileSync(join(import.meta.dirname, "../apache-conf/mod_ts.conf"), "utf8");
  const endings = /bak\\d\*\|[^)]*/;
  const own = endings.exec(sources.source)?.[0];
  const lines = conf.split("\n").filter((line) => endings.test(line));
  t.equal(lines.length, 3);
  for (const line of lines) t.equal(endings.exec(line)?.[0], own);
});
