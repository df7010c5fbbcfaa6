import t from "tap";
import { formatNotes, parseNotes } from "../src/notes.ts";

t.test("notes come back as they went", (t) => {
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

t.test("none", (t) => {
  t.equal(formatNotes([]), "");
  t.strictSame(Object.entries(parseNotes("")), []);
  t.equal(Object.getPrototypeOf(parseNotes("a=1")), null);
  t.end();
});
