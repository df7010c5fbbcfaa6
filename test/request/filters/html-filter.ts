import t from "tap";
import { collect } from "../../fixtures/collect.ts";
import { type FilteredMessage, runFilters } from "../../../src/request/filters/filter.ts";
import { htmlFilter, type HtmlRules } from "../../../src/request/filters/html-filter.ts";

/** The page through the rules, in parts of `size` bytes. */
async function rewrite(page: string, rules: HtmlRules, size = page.length): Promise<string> {
  async function* source(): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(page);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const message = { contentType: "text/html", status: 200 } as FilteredMessage;
  const chunks = await collect(runFilters(source(), [htmlFilter(rules)], message));
  return Buffer.concat(chunks).toString();
}

t.test("what no rule names passes as written", async (t) => {
  const page = `<!DOCTYPE html>\n<P CLASS=a b='&amp;&x'>ü &lt; <br/><!-- c --><script>if (a<b) "</p>"</script>`;
  t.equal(await rewrite(page, {}), page, "in one piece");
  t.equal(await rewrite(page, {}, 1), page, "and byte by byte");
});

t.test("places around an element", async (t) => {
  const rules: HtmlRules = {
    p: (p) => p.before("<").after("2").after("1").prepend("b").prepend("a").append("c"),
  };
  t.equal(await rewrite("<p>x</p>.", rules), "&lt;<p>abxc</p>12.", "text is escaped");
  t.equal(await rewrite("<br>", { br: (br) => br.after("<hr>", { html: true }) }), "<br><hr>");
});

t.test("removal and replacement", async (t) => {
  const page = "<div>a<p>b<i>c</i></p>d</div>";
  t.equal(await rewrite(page, { p: (p) => p.remove() }), "<div>ad</div>");
  t.equal(await rewrite(page, { p: (p) => p.removeAndKeepContent() }), "<div>ab<i>c</i>d</div>");
  t.equal(await rewrite(page, { p: (p) => p.replace("x") }), "<div>axd</div>");
  t.equal(await rewrite(page, { p: (p) => p.setInnerContent("x") }), "<div>a<p>x</p>d</div>");
  t.equal(await rewrite(page, { p: (p) => p.remove(), i: (i) => i.after("!") }), "<div>ad</div>");
});

t.test("attributes", async (t) => {
  const rules: HtmlRules = {
    a: (a) => a.setAttribute("title", `${a.getAttribute("HREF")} "&`).removeAttribute("rel"),
  };
  t.equal(
    await rewrite('<a href="/x" rel=y>z</a>', rules),
    '<a href="/x" title="/x &quot;&amp;">z</a>',
    "values are escaped",
  );
  const attack: HtmlRules = { a: (a) => a.setAttribute("x onclick", "") };
  await t.rejects(rewrite("<a>", attack), { code: "MODTS_BAD_ARGUMENT" }, "a name is one name");
});

t.test("selectors", async (t) => {
  const mark = (selector: string, page: string): Promise<string> =>
    rewrite(page, { [selector]: (element) => element.append("!") });
  t.equal(
    await mark("ul > li.a", "<ul><li class='b a'>1</li><li>2</li></ul>"),
    "<ul><li class='b a'>1!</li><li>2</li></ul>",
  );
  t.equal(await mark("#x em", "<p id=x><b><em>1</em></b></p>"), "<p id=x><b><em>1!</em></b></p>");
  t.equal(
    await mark("a[href^='http:'], b", "<a href=http://x>1</a><b>2</b>"),
    "<a href=http://x>1!</a><b>2!</b>",
  );
  for (const selector of ["p + p", "li:first-child", "p ~ a"]) {
    await t.rejects(
      mark(selector, "<p>"),
      { code: "MODTS_BAD_ARGUMENT" },
      `${selector} is refused`,
    );
  }
});

t.test("end tags that were left out", async (t) => {
  const rules: HtmlRules = { li: (li) => li.append("!") };
  t.equal(await rewrite("<ul><li>1<li>2</ul>.", rules), "<ul><li>1<li>2!!</ul>.");
  t.equal(await rewrite("</b><p>x", rules), "</b><p>x", "a stray one stays");
});
