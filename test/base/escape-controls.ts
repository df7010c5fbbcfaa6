/** Characters that control terminals, and no others, are escaped. */
import t from "tap";
import { escapeControls } from "../../src/base/escape-controls.ts";

t.test(
  "C0, DEL, C1, line separators and marks of direction are escaped byte by byte",
  async (t) => {
    t.equal(escapeControls("a\r\n\0\x1b[31m\x7f"), "a\\x0d\\x0a\\x00\\x1b[31m\\x7f");
    t.equal(escapeControls("\x80\x9b31m\x9f"), "\\xc2\\x80\\xc2\\x9b31m\\xc2\\x9f");
    const marks = [0x61c, 0x200e, 0x200f, 0x2028, 0x2029];
    for (let code = 0x202a; code <= 0x202e; code += 1) marks.push(code);
    for (let code = 0x2066; code <= 0x2069; code += 1) marks.push(code);
    for (const code of marks) {
      t.match(
        escapeControls(String.fromCodePoint(code)),
        /^(?:\\x[89a-f][\da-f])+$/,
        code.toString(16),
      );
    }
    t.equal(escapeControls("\u202e"), "\\xe2\\x80\\xae");
  },
);

t.test("tabs and text in any script stay", async (t) => {
  const text = "\ta \u00a0 äöü 日本 עברית \u200d 👍";
  t.equal(escapeControls(text), text);
});
