import t from "tap";
import { findGaps } from "../../../src/handlers/pages/find-gaps.ts";
import { PageSource } from "../../../src/handlers/pages/page-source.ts";
import { scan } from "../../../src/handlers/pages/scan.ts";

/** The text that is left of a page, and `T` for each tag. */
function left(text: string): string {
  return findGaps(text, scan(new PageSource("/a.tsp", text)))
    .filter(({ kind }) => kind !== "gap")
    .map(({ kind, start, end }) => (kind === "text" ? text.slice(start, end) : "T"))
    .join("");
}

t.test("a line with nothing but silent tags leaves no empty line", async (t) => {
  t.equal(left("a\n<% b %>\nc"), "a\nTc");
  t.equal(left("a\n  <% b %> \t<%-- c --%>\r\nd"), "a\nTTd");
  t.equal(left("  <% b %>"), "T", "also in the first and the last one");
  t.equal(left("<%@ page %>\n\n<%! b %>\n"), "T\nT", "an empty line stays");
});

t.test("a line that writes stays", async (t) => {
  for (const line of [
    "x <% b %>\n",
    "<% b %> x\n",
    "  <%= b %>\n",
    "<% a %> <%- b %>\n",
    "<%% <% b %>\n",
  ]) {
    t.equal(left(line).endsWith("\n"), true, line);
  }
});

t.test("what a block holds is written elsewhere", async (t) => {
  const block = '<%@ block name="a" %>';
  t.equal(left(`${block}x <%= y %><%@ end %>\nz`), "Tx TTz");
  t.equal(left(`${block} <%= y %> <%@ end %>\nz`), "T T Tz", "its own white space stays");
  t.equal(left(`a ${block}x<%@ end %>\nz`), "a TxT\nz");
  t.equal(left('<%@ slot name="a" %>x<%@ end %>\nz'), "TxT\nz", "a slot writes in its place");
});

t.test("white space before a word that goes on with a statement", async (t) => {
  t.equal(left("<% if (a) { %>b<% } %> \n <% else { %>c<% } %>"), "TbTTcT");
  t.equal(left("<% } %> <%-- why --%> <% catch { %>"), "TTT");
  t.equal(left("<% switch (a) { %> <% case 1: %>"), "TT");
  t.equal(left("<% a %> <% b %>."), "T T.", "elsewhere it is text");
  t.equal(left("<%= a %> <% else { %>."), "T T.");
});
