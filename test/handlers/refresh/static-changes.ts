import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { StaticChanges } from "../../../src/handlers/refresh/static-changes.ts";
import { until } from "../../fixtures/until.ts";

t.test("saves are counted by kind; data, packages and hidden files are none", async (t) => {
  const root = t.testdir({ "a.css": "", "b.txt": "", node_modules: {}, ".git": {}, deep: {} });
  const counts = new StaticChanges().counts(root);
  t.match(counts, { styles: 0, others: 0 });
  let version = 0;
  const save = (...path: string[]): void => writeFileSync(join(root, ...path), `${(version += 1)}`);
  // The watcher begins some time after the question.
  await until(() => (save("a.css"), `${counts.styles > 0}`), "true");
  t.equal(counts.others, 0);
  mkdirSync(join(root, "deep/er"));
  save("node_modules/x.js");
  save(".git/x.js");
  save("data.json");
  await until(() => (save("deep/er/page.html"), `${counts.others > 0}`), "true");
});

t.test("one count for a directory, none for the whole machine", (t) => {
  const changes = new StaticChanges();
  t.equal(changes.counts("/"), changes.counts("/"));
  t.same(changes.counts(""), { styles: 0, others: 0 });
  t.end();
});
