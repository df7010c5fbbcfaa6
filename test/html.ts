import t from "tap";
import { escapeHtml, escapeJson, htmlPage, htmlTable } from "../src/html.ts";

const nasty = `</script><script>alert("1" & '2')</script>`;

t.test("escaped text cannot leave element content or a quoted value", async (t) => {
  const escaped = escapeHtml(nasty);
  t.notMatch(escaped, /[<>"']/);
  t.equal(escapeHtml("a & b < c > d \" e ' f"), "a &amp; b &lt; c &gt; d &quot; e &#39; f");
  t.equal(escapeHtml("häß→ 😀"), "häß→ 😀");
});

t.test("JSON in a script element cannot close it, and means the same", async (t) => {
  const value = { text: nasty, lines: "\u2028\u2029", comment: "<!--" };
  const json = escapeJson(value);
  t.notMatch(json, /[<\u2028\u2029]/);
  t.strictSame(JSON.parse(json), value);
});

t.test("a table of names and values", async (t) => {
  t.equal(htmlTable([]), "<p class=none>none</p>");
  t.equal(
    htmlTable([
      ["<a>", nasty.slice(0, 1)],
      ["n", 1],
      ["u", undefined],
    ]),
    "<table>\n<tr><th>&lt;a&gt;</th><td>&lt;</td></tr>\n<tr><th>n</th><td>1</td></tr>\n" +
      "<tr><th>u</th><td>undefined</td></tr>\n</table>",
  );
});

t.test("a page: title escaped, body as given", async (t) => {
  const page = htmlPage("<t>", "<p>body</p>");
  t.match(page, /^<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">/);
  t.match(page, "<title>&lt;t&gt;</title>");
  t.match(page, "<main>\n<p>body</p>\n</main>");
});
