import t from "tap";
import type { Edge, ModuleRecord } from "../../src/loader/module-record.ts";
import { Staleness, type Evidence } from "../../src/loader/staleness.ts";

/** Builds records by their imports: `{ a: ["b"] }` is a file a that imports b. */
function graphOf(imports: Record<string, string[]>): Record<string, ModuleRecord> {
  const records: Record<string, ModuleRecord> = {};
  for (const file of Object.keys(imports)) {
    const edges = new Map<string, Edge>();
    records[file] = { file, text: file, edges } as unknown as ModuleRecord;
  }
  for (const [file, targets] of Object.entries(imports)) {
    for (const target of targets) {
      records[file]?.edges.set(target, { file: target, target: records[target] });
    }
  }
  return records;
}

const evidence = (records: Record<string, ModuleRecord>, changes: Partial<Evidence>): Evidence => ({
  latest: new Map(Object.entries(records)),
  textOf: (file) => file,
  resolve: (specifier) => specifier,
  ...changes,
});

const staleOf = (records: Record<string, ModuleRecord>, changes: Partial<Evidence>): string[] => {
  const staleness = new Staleness(evidence(records, changes));
  return Object.keys(records).filter((file) => staleness.isStale(records[file] as ModuleRecord));
};

const edited =
  (...files: string[]): Evidence["textOf"] =>
  (file) =>
    files.includes(file) ? "edited" : file;

t.test("an edit makes what reaches it stale, and nothing else", (t) => {
  const records = graphOf({ a: ["b", "c"], b: ["d"], c: [], d: [], e: ["c"] });
  t.same(staleOf(records, {}), []);
  t.same(staleOf(records, { textOf: edited("d") }), ["a", "b", "d"]);
  t.same(staleOf(records, { textOf: edited("c") }), ["a", "c", "e"]);
  t.end();
});

t.test("in a cycle all are stale, whichever is asked first", (t) => {
  const records = graphOf({ a: ["b"], b: ["c"], c: ["a", "d"], d: [], e: ["b"] });
  for (const files of [["a"], ["b"], ["c"], ["d"]]) {
    const expected = files[0] === "d" ? ["a", "b", "c", "d", "e"] : ["a", "b", "c", "e"];
    t.same(staleOf(records, { textOf: edited(...files) }), expected);
  }
  t.end();
});

t.test("other reasons: an import leads elsewhere, a newer version", (t) => {
  const records = graphOf({ a: ["b"], b: [] });
  t.same(staleOf(records, { resolve: () => "elsewhere" }), ["a"]);
  const newer = new Map(Object.entries(records)).set("b", { ...records["b"] } as ModuleRecord);
  t.same(staleOf(records, { latest: newer }), ["a", "b"]);
  t.end();
});

t.test("an import that failed is worth another try when its file has another text", (t) => {
  const records = graphOf({ a: [] });
  records["a"]?.edges.set("b", { file: "b", target: undefined, failedText: "bad" });
  t.same(staleOf(records, { textOf: (file) => (file === "b" ? "bad" : file) }), []);
  t.same(staleOf(records, { textOf: (file) => (file === "b" ? "good" : file) }), ["a"]);
  t.end();
});

t.test("it tells what changed", (t) => {
  const records = graphOf({ a: ["b"], b: [] });
  const staleness = new Staleness(evidence(records, { textOf: edited("b") }));
  staleness.isStale(records["a"] as ModuleRecord);
  t.same([...staleness.changed], ["b"]);
  t.end();
});
