import t from "tap";
import { errorPage, escapeHtml, htmlPage, htmlTable } from "../../src/base/html.ts";

const nasty = `</script><script>alert("1" & '2')</script>`;

t.test("escaped text cannot leave element content or a quoted value", async (t) => {
  const escaped = escapeHtml(nasty);
  t.notMatch(escaped, /[<>"']/);
  t.equal(escapeHtml("a & b < c > d \" e ' f"), "a &amp; b &lt; c &gt; d &quot; e &#39; f");
  t.equal(escapeHtml("häß→ 😀"), "häß→ 😀");
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

t.test("says what the status means, in Apache's look", async (t) => {
  const page = errorPage(404, "id-1");
  t.match(page, "<title>404 Not Found</title>");
  t.match(page, "<h1>Not Found</h1>");
  t.match(page, "There is nothing at this address.");
  t.notMatch(page, "id-1", "a visitor cannot do anything about a 404");
});

t.test("from 500 on it has a reference, escaped", async (t) => {
  t.match(errorPage(500, "<id>"), "<p>Reference: &lt;id&gt;</p>");
  t.notMatch(errorPage(500, ""), "Reference");
});

t.test("a status without an explanation", async (t) => {
  t.match(errorPage(418, ""), /<h1>I&#39;m a Teapot<\/h1>|<h1>I'm a Teapot<\/h1>/);
  t.match(errorPage(599, ""), "<h1>Unknown</h1>");
});
