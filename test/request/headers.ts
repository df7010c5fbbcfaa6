import { inspect } from "node:util";
import t from "tap";
import {
  formatNotes,
  HeaderTable,
  overrideHeaders,
  parseNotes,
  withCharset,
} from "../../src/request/headers.ts";

const pairs = [
  ["A", "1"],
  ["b", "2"],
  ["a", "3"],
] as const;

function table(): HeaderTable {
  return HeaderTable.fromRaw(pairs.flat());
}

t.test("reads without regard to case, in order, duplicates kept", async (t) => {
  const own = table();
  t.equal(own.get("a"), "1", "get gives the first");
  t.strictSame(own.getAll("A"), ["1", "3"]);
  t.strictSame(own.at("a"), ["1", "3"], "a list when there are several");
  t.equal(own.at("B"), "2", "a string when there is one");
  t.equal(own.at("c"), undefined);
  t.equal(own.get("c"), undefined);
  t.equal(own.get("c", "d"), "d");
  t.ok(own.has("B"));
  t.notOk(own.has("c"));
  t.equal(own.size, 3);
  t.strictSame([...own.keys()], ["A", "b", "a"]);
  t.strictSame([...own.values()], ["1", "2", "3"]);
  t.strictSame([...own.entries()], pairs);
  t.strictSame([...own], pairs);
});

t.test("set replaces all and keeps the place", async (t) => {
  const own = table().set("a", "9").set("C", 4);
  t.strictSame(own.raw(), ["a", "9", "b", "2", "C", "4"]);
});

t.test("add appends, delete is silent", async (t) => {
  const own = table().add("B", "4");
  t.strictSame(own.getAll("b"), ["2", "4"]);
  t.equal(own.delete("A"), true);
  t.equal(own.delete("A"), false);
  t.strictSame(own.raw(), ["b", "2", "B", "4"]);
});

t.test("pop, setDefault, update, clear", async (t) => {
  const own = table();
  t.strictSame(own.pop("a"), ["1", "3"]);
  t.equal(own.pop("a", "gone"), "gone");
  t.equal(own.setDefault("b", "9"), "2");
  t.equal(own.setDefault("n"), "");
  t.equal(own.setDefault("m", 3), "3");
  own.update({ b: "5", x: 6 }).update(new Headers({ y: "7" }));
  t.strictSame(own.raw(), ["b", "5", "n", "", "m", "3", "x", "6", "y", "7"]);
  own.clear();
  own.clear();
  t.equal(own.size, 0);
  own.set("a", "1");
  t.equal(own.size, 1);
});

t.test("the constructor takes pairs, the last of a name wins", async (t) => {
  t.strictSame(new HeaderTable([...table()]).raw(), ["a", "3", "b", "2"]);
  t.equal(new HeaderTable().size, 0);
});

t.test("a raw list is never written to, and a copy is independent", async (t) => {
  const list = Object.freeze(["a", "1"]);
  const own = HeaderTable.fromRaw(list);
  t.equal(own.raw(), list, "no copy before the first change");
  const copy = own.copy();
  own.add("b", "2").delete("a");
  t.strictSame(list, ["a", "1"]);
  copy.set("a", "3");
  t.strictSame(own.raw(), ["b", "2"]);
  t.strictSame(copy.raw(), ["a", "3"]);
});

t.test("no name is special", async (t) => {
  const own = new HeaderTable();
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    t.notOk(own.has(name));
    t.equal(own.get(name), undefined);
    own.set(name, "x").add(name, "y");
    t.strictSame(own.at(name), ["x", "y"]);
  }
  t.equal(Object.getPrototypeOf(own), HeaderTable.prototype);
  t.match(JSON.stringify(own), '"__proto__":["x","y"]');
});

t.test("prints as a record, in the first spelling", async (t) => {
  t.equal(JSON.stringify(table()), '{"A":["1","3"],"b":"2"}');
  t.match(inspect(table()), /^HeaderTable .*A: \[ '1', '3' \], b: '2' }/);
});

t.test("values are text", async (t) => {
  const own = new HeaderTable();
  const set = (name: unknown, value: unknown) => () => own.set(name as string, value as string);
  t.throws(set("a", undefined), { code: "MODTS_BAD_ARGUMENT", message: /not undefined/ });
  t.throws(set("a", null), { code: "MODTS_BAD_ARGUMENT", message: /not null/ });
  t.throws(set("a", {}), { code: "MODTS_BAD_ARGUMENT", message: /not object/ });
  t.throws(set(1, "x"), { code: "MODTS_BAD_ARGUMENT" });
  t.equal(own.size, 0);
});

t.test("the charset of text", async (t) => {
  t.equal(withCharset("text/plain"), "text/plain; charset=utf-8");
  t.equal(withCharset("text/plain; Charset=latin1"), "text/plain; Charset=latin1");
  t.equal(withCharset("image/png"), "image/png");
});

t.test("headers that take the place of others", async (t) => {
  const first = new HeaderTable({ "X-A": "1", "X-B": "1" });
  const last = new HeaderTable({ "x-a": "2", "x-c": "2" });
  overrideHeaders(
    [first, last],
    [
      ["X-A", "3"],
      ["X-A", "4"],
    ],
  );
  t.strictSame([...first], [["X-B", "1"]]);
  t.strictSame(
    [...last],
    [
      ["x-c", "2"],
      ["X-A", "3"],
      ["X-A", "4"],
    ],
  );
  overrideHeaders([undefined, last], [["x-c", "5"]]);
  t.equal(last.get("X-C"), "5");
});

t.test("notes are read as they were written", (t) => {
  const notes: [string, string][] = [
    ["level", "7; a=b&c"],
    ["", "empty name"],
    ["umlaut", "ä\n\u{1f600}"],
    ["__proto__", "ordinary"],
  ];
  const text = formatNotes(notes);
  t.match(text, /^[\w%&=+.*-]*$/, "nothing that could end a header line");
  t.strictSame(Object.entries(parseNotes(text)), notes);
  t.end();
});

t.test("no notes", (t) => {
  t.equal(formatNotes([]), "");
  t.strictSame(Object.entries(parseNotes("")), []);
  t.equal(Object.getPrototypeOf(parseNotes("a=1")), null);
  t.end();
});
