import t from "tap";
import { Edits } from "../../../src/cli/migrate/edits.ts";
import { parseSource } from "../../../src/httpd/config-source.ts";

t.test("lines, notes, and the level of what is reported", (t) => {
  const [one, two] = parseSource("A  1\nB 2\n", "/a") as [never, never];
  const edits = new Edits();
  edits.add(one, "AuthType x");
  t.match(edits.of(one), { isKept: true });
  edits.replace(one, "# comment", "Use X");
  edits.byHand(one, "look");
  edits.close(two, "gone");
  t.match(edits.of(one), {
    lines: ["AuthType x", "# comment", "Use X"],
    notes: ["look."],
    isKept: false,
  });
  t.match(edits.of(two), { notes: ["gone. Closed until then."] });
  t.same(
    edits.notes.map(({ level, text, place }) => `${place.line} ${level} ${text}`),
    ["1 done A 1 -> Use X", "1 hand look", "2 closed gone"],
  );
  t.end();
});
