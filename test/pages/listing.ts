import t from "tap";
import { listing } from "../../src/pages/listing.ts";
import { translatePage } from "../../src/pages/translate.ts";

t.test("page and code side by side, a row a line, escaped", async (t) => {
  const page = "<h1>\r\n<%= '<script>' %>\n</h1>";
  const html = listing("/srv/<a>.tsp", page, translatePage("/a.tsp", page).code);
  const rows = html.match(/<tr id=L\d+>.*<\/tr>/g) ?? [];
  t.equal(rows.length, 3);
  t.match(rows[0], "<td>&lt;h1&gt;</td>");
  t.match(rows[1], "<td>&lt;%= &#39;&lt;script&gt;&#39; %&gt;</td>");
  t.match(rows[1], "$t = $e((");
  t.match(html, "<h1>/srv/&lt;a&gt;.tsp</h1>");
  t.notMatch(html, "<script>");
});
