import t from "tap";
import {
  escapeValue,
  locatePage,
  PageRendering,
  valueText,
} from "../../../src/handlers/pages/page-rendering.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { pageFolder } from "../../fixtures/page-folder.ts";

/** A request that notes what is sent, and how much of it was asked to leave. */
function recorder(): { req: ApacheRequest; sent: string[] } {
  const sent: string[] = [];
  const req = {
    write: (text: string) => sent.push(text) > 0,
    flush: async () => void sent.push("|"),
  };
  return { req: req as unknown as ApacheRequest, sent };
}

t.test(
  "flush() sends in the page and in its layout; in parts and blocks there is nothing to send yet",
  async (t) => {
    const pages = pageFolder(t, {
      "plain.tsp":
        'a<% await flush(); %><%@ include file="part.tsp" %>c<% await flush(); await flush(); %>d',
      "part.tsp": "<% await flush(); %>b<% await flush(); %>",
      "laid.tsp":
        '<%@ layout file="layout.tsp" %>body<% await flush(); %><%@ block name="x" %>in<% await flush(); %>side<%@ end %>',
      "layout.tsp": 'head <% await flush(); %><%@ body %> <%@ slot name="x" %><%@ end %>',
    });
    for (const [name, expected, rest] of [
      ["plain.tsp", "a|bc||", "d"],
      ["laid.tsp", "head |", "body inside"],
    ] as const) {
      const { req, sent } = recorder();
      const page = await pages.load(name);
      t.equal(await new PageRendering(req, { isLive: true }).render(page, {}), rest);
      t.equal(sent.join(""), expected);
      const quiet = recorder();
      const whole = await new PageRendering(quiet.req).render(page, {});
      t.equal(whole, expected.replaceAll("|", "") + rest, "and as text it is the same");
      t.same(quiet.sent, []);
    }
  },
);

t.test("a block that fails leaves the page as it was", async (t) => {
  const pages = pageFolder(t, {
    "page.tsp":
      '<%@ layout file="layout.tsp" %>a<% try { %><%@ block name="x" %>lost<% throw 1; %><%@ end %><% } catch { %>b<% } %>c',
    "layout.tsp": '<%@ body %>[<%@ slot name="x" %>default<%@ end %>]',
  });
  t.equal(await pages.render("page.tsp"), "abc[default]");
});

t.test("layouts of layouts: a block goes on until one fills the slot anew", async (t) => {
  const pages = pageFolder(t, {
    "page.tsp":
      '<%@ layout file="middle.tsp" %><%@ block name="a" %>A<%@ end %><%@ block name="b" %>B<%@ end %>',
    "middle.tsp":
      '<%@ layout file="outer.tsp" %><%@ block name="b" %>(<%@ slot name="b" %><%@ end %>)<%@ end %><%@ body %>',
    "outer.tsp":
      '<%@ slot name="a" %><%@ end %><%@ slot name="b" %><%@ end %><%@ slot name="c" %>C<%@ end %>',
  });
  t.equal(await pages.render("page.tsp"), "A(B)C");
});

t.test("layouts in a circle come to an end", async (t) => {
  const pages = pageFolder(t, {
    "a.tsp": '<%@ layout file="b.tsp" %>',
    "b.tsp": '<%@ layout file="a.tsp" %><%@ block name="x" %><%@ end %>',
    "c.tsp": '<%@ layout file="c.tsp" %>',
  });
  await t.rejects(pages.render("a.tsp"), /no slot "x"; the page has none/);
  await t.rejects(pages.render("c.tsp"), /more than 100 levels deep/);
});

t.test("an error page sees the exception, others see none", async (t) => {
  const pages = pageFolder(t, { "page.tsp": "<%= exception?.message ?? 'none' %>" });
  t.equal(await pages.render("page.tsp"), "none");
  const { req } = recorder();
  const rendering = new PageRendering(req, { exception: new Error("<why>") });
  t.equal(await rendering.render(await pages.load("page.tsp"), {}), "&lt;why&gt;");
});

t.test("a page that another one names", async (t) => {
  const req = { documentRoot: () => "/srv/htdocs" } as ApacheRequest;
  t.equal(locatePage(req, "/srv/pages/a.tsp", "b/c.tsp"), "/srv/pages/b/c.tsp");
  t.equal(locatePage(req, "/srv/pages/a.tsp", "../c.tsp"), "/srv/c.tsp");
  t.equal(locatePage(req, "/srv/pages/a.tsp", "/c.tsp"), "/srv/htdocs/c.tsp");
  t.equal(
    locatePage(req, "/srv/pages/a.tsp", "/../../etc/c.tsp"),
    "/etc/c.tsp",
    "for the loader to refuse",
  );
});

t.test("escaped text is safe in elements and in attributes", async (t) => {
  t.equal(
    escapeValue(`<a href="x" title='&'>`),
    "&lt;a href=&quot;x&quot; title=&#39;&amp;&#39;&gt;",
  );
  t.equal(escapeValue({ toString: () => "<" }), "&lt;", "whatever it is before it is text");
  t.equal(escapeValue(["<", "&"]), "&lt;,&amp;");
  t.equal(escapeValue(Symbol.iterator), "Symbol(Symbol.iterator)");
});

t.test("what needs no escape stays what it is", async (t) => {
  for (const value of ["", "plain é 💥", 0, -1.5, NaN, 7n, true, false]) {
    t.equal(escapeValue(value), String(value));
    t.equal(valueText(value), String(value));
  }
});

t.test("null and undefined are nothing, a promise is a mistake", async (t) => {
  for (const write of [escapeValue, valueText]) {
    t.equal(write(null), "");
    t.equal(write(undefined), "");
    t.throws(() => write(Promise.resolve(1)), /is a promise; write await before it/);
  }
  t.equal(valueText("<"), "<");
});
