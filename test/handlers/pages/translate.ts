/** Pages become TypeScript line for line; what they write is what their author meant. */
import t from "tap";
import { BuildError } from "../../../src/loader/build-error.ts";
import { compile } from "../../../src/loader/compile.ts";
import { translatePage } from "../../../src/handlers/pages/translate.ts";
import { pageFolder, renderText } from "../../fixtures/page-folder.ts";

const languages = { ".tsp": translatePage };

/** What a page is, what it writes. */
const outputs: Record<string, readonly [page: string, output: string]> = {
  empty: ["", ""],
  "white space": [" \n\t", ""],
  text: ["a\nb", "a\nb"],
  "a template string's signs": ["`${a}` \\n \\ $ ${ $$ {}", "`${a}` \\n \\ $ ${ $$ {}"],
  "CRLF in text": ["a\r\nb\r\n<%= 1 %>\r\nc\r", "a\r\nb\r\n1\r\nc\r"],
  "CRLF and lines of tags": ["<% if (1) { %>\r\na\r\n<% } %>\r\nb", "a\r\nb"],
  "line separators": ["a\u2028b\u2029c", "a\u2028b\u2029c"],
  "beyond the BMP": ["💥é<%= '💥é' %>", "💥é💥é"],
  "byte order mark": ["\uFEFFa", "a"],
  "escaped sign": ["<%% a %> <%%= b %>", "<% a %> <%= b %>"],
  "a lone %>": ["50%> of", "50%> of"],
  "%> in a string": [`<%= "%>" %>|<%- '%>' %>|<%- \`%>\${"%>"}\` %>`, "%&gt;|%>|%>%>"],
  "%> in a regular expression": ["<%= /%>/.test('a%>') %>", "true"],
  "an apostrophe in a regular expression": ["<%= /it's/.source %>!", "it&#39;s!"],
  "%> in a block comment": ["<% /* %> */ write('a') %>", "a"],
  "%> ends a line comment": ["<% // it's a note %>a<%= 1 // one %>b", "a1b"],
  "division and remainder": ["<% const a = 6, g = 2; %><%= a / 2 / g %> <%= a % 4 %>", "1.5 2"],
  "null and undefined": ["[<%= null %><%= undefined %><%- null %>]", "[]"],
  "false and zero": ["<%= false %><%= 0 %><%= NaN %><%= 1n %>", "false0NaN1"],
  escaping: ["<%= `<a href=\"'&'\">` %>", "&lt;a href=&quot;&#39;&amp;&#39;&quot;&gt;"],
  "an object is escaped too": ["<%= { toString: () => '<i>' } %>", "&lt;i&gt;"],
  raw: ["<%- '<i>' %>", "<i>"],
  "a comma and an object": ["<%= (1, 2) %><%= ({ a: 3 }).a %><%= 1, 4 %>", "234"],
  "an expression over lines": ["<%=\n [1,\n  2].join('-')\n%>.", "1-2."],
  "braces over tags": ["<% for (const a of [1, 2]) { %>(<%= a %>)<% } %>", "(1)(2)"],
  "no braces": ["<% if (false) %>no <%= 'never' %> no<% write('yes') %>", "yes"],
  "no braces, else": ["<% if (false) %>a<%= 1 %><% else %>b<%= 2 %><% %>", "b2"],
  "else in a tag of its own": ["<% if (false) { %>a<% } %>\n<% else { %>b<% } %>", "b"],
  switch: ["<% switch (2) { %>\n<% case 1: %>a<% break; %>\n<% case 2: %>b<% } %>", "b"],
  "do and while": [
    "<% let n = 0; do { %>a<% } while (++n < 3); %>b<% while (n-- > 1) %>c",
    "aaabcc",
  ],
  "try and catch": ["<% try { %>a<% throw 1 } %> <% catch { %>b<% } %>", "ab"],
  "no semicolons": [
    "<% const a = 1 %><% const b = 2 %><%= a + b %><% const f = () => {} %><% f() %>",
    "3",
  ],
  "a call, not a statement's head": ["<% const o = { if: (a) => a }; o.if(1) %>a", "a"],
  "a function of the page": [
    "<% function li(a) { %><li><%= a %></li><% } %><% li(1); li(2) %>",
    "<li>1</li><li>2</li>",
  ],
  "a callback": ["<% [1, 2].forEach((a) => { %>[<%= a %>]<% }) %>", "[1][2]"],
  "a function that writes, in an expression": [
    "<% const f = () => { %>b<% return 'c'; }; %>a<%= f() %>d",
    "abcd",
  ],
  await: ["<%= await Promise.resolve(1) %><% for await (const a of [2, 3]) %><%= a %>", "123"],
  "text while others wait": [
    "<% const f = async (n) => { await n; %>(<%= n %>)<% }; %>a<% await Promise.all([f(1), f(2)]); %>b",
    "a(1)(2)b",
  ],
  comments: ["a<%-- b <%= c %> --%>d<%----%>", "ad"],
  "module code": [
    "<%! let hits: number = 0; // count\n%>\n<%! function hit() { return ++hits; } %>\n<%= hit() %>",
    "1",
  ],
  "module code's own names": [
    "<%! const form = 'f', page = 'p'; const { write } = { write: 'w' }; import { posix as req } from 'node:path'; %><%= form + page + write + req.sep %>",
    "fpw/",
  ],
  types: [
    "<% const a: string = <string>'x'; enum E { b = 7 } %><%= a satisfies string %><%= E.b %><%= (a as any)! %>",
    "x7x",
  ],
  "own names": ["<% { const page = 1, write = 2; %><%= page + write %><% } %>", "3"],
  "escape()": ["<%- escape('<') + '<' %>", "&lt;<"],
  "a line of tags": ["a\n  <% if (1) { %>  \n  b\n  <%-- c --%> <% } %>\nd\n", "a\n  b\nd\n"],
  "a line with text beside a tag": ["a <% if (1) { %>\nb<% } %>\n", "a \nb\n"],
  "a tag over lines": ["a\n<%\n  const b = 1;\n  const c = 2;\n%>\n<%= b + c %>", "a\n3"],
};

for (const [name, [page, output]] of Object.entries(outputs)) {
  t.test(`output: ${name}`, async (t) => {
    t.equal(await renderText(t, page), output);
    const { code } = translatePage("/page.tsp", page);
    t.equal(code.split("\n").length, page.split("\n").length, "line for line");
  });
}

t.test("every line of code stands in its line, each value in its column", async (t) => {
  const page = [
    '<%@ page contentType="text/html" %>',
    '<%! import { sep } from "node:path";',
    "interface Vars { a: number } %>",
    "",
    "<p><%= vars.a %> `${ \\</p> <%= at(new Error()) %>",
    "<%-- one",
    "two --%>",
    "<% const f = (",
    "  a: number,",
    ") => { %>",
    "  text <%= at(new Error()) %>",
    "  <% }; f(",
    "  1); %>",
    '<b title="<%=  at(  new Error() ) %>"><%- at(new Error()) %>',
  ].join("\r\n");
  const text = await renderText(
    t,
    page.replace(
      "interface",
      "const at = (e: Error) => / at .*page\\.tsp:(\\d+:\\d+)/.exec(e.stack!)![1]; interface",
    ),
    { a: 1 },
  );
  t.same(text.match(/\d+:\d+/g), ["5:35", "11:15", "14:21", "14:46"]);
});

/** What is wrong, where, and what the message says. */
const mistakes: Record<string, readonly [page: string, place: string, message: RegExp]> = {
  "a tag without end": ["a\n <% b", "2:2", /not closed; end it with %>/],
  "an expression without end": ["<%= b }", "1:1", /not closed; end it with %>/],
  "an expression without end before HTML": ["<p><%= b</p>", "1:4", /not closed; end it with %>/],
  "the same in a long line": ["<p><%= b</p><p></p> <%= c %>", "1:4", /not closed; end it with %>/],
  "a comment without end": ["<%-- b %>", "1:1", /end it with --%>/],
  "a string without end": ["<% 'a %>\n'", "1:4", /string is not closed/],
  "a template without end": ["<%\n `a %>", "2:2", /template string is not closed/],
  "a block comment without end": ["<% /* a %>", "1:4", /comment is not closed/],
  "an empty expression": ["<%= %>", "1:1", /no expression/],
  "only a comment": ["<%= // a %>", "1:1", /no expression/],
  "a semicolon": ["<%= a; %>", "1:6", /no semicolon/],
  "an open parenthesis": ["<%= a(b %>", "1:6", /"\(" is not closed/],
  "a parenthesis too many": ["<%= a) + (b %>", "1:6", /"\)" closes nothing/],
  "brackets crossed": ["<%= [(a]) %>", "1:8", /"\]" closes nothing/],
  "no directive": ["<%@ %>", "1:1", /no directive ""; there are: page, include/],
  "an unknown directive": ["<%@ pge %>", "1:1", /did you mean page\?/],
  "a directive of Object": ["<%@ constructor %>", "1:1", /no directive "constructor"/],
  "an unknown attribute": [
    '<%@ page src="x" %>',
    "1:15",
    /no attribute src; attributes: contentType/,
  ],
  "an attribute without value": [
    "<%@ page pathInfo %>",
    "1:9",
    /something other than attribute="value"/,
  ],
  "an attribute twice": ['<%@ page pathInfo="on" pathInfo="off" %>', "1:34", /given twice/],
  "a value that is none": ['<%@ page pathInfo="yes" %>', "1:20", /must be On or Off/],
  "a header in a type": [
    '<%@ page contentType="text/html\r\nX: y" %>',
    "1:23",
    /must be a media type/,
  ],
  "no file": ["<%@ include %>", "1:1", /include needs file="…"/],
  "an absolute include": [
    '<%@ include file="/a.tsp" %>',
    "1:19",
    /relative to the directory of this one/,
  ],
  "an include of no page": ['<%@ include file="../../etc/passwd" %>', "1:19", /must name a page/],
  "variables without end": ['<%@ include file="a.tsp" with="{ a" %>', "1:32", /"\{" is not closed/],
  "variables that close ours": [
    '<%@ include file="a.tsp" with="{}) + (1" %>',
    "1:34",
    /closes nothing/,
  ],
  "variables with a comment": ['<%@ include file="a.tsp" with="{} // a" %>', "1:35", /ends early/],
  "an end without beginning": ["a\n<%@ end %>", "2:1", /no block or slot before it/],
  "a block without layout": ['<%@ block name="a" %><%@ end %>', "1:1", /name one with <%@ layout/],
  "a block without end": [
    '<%@ layout file="a.tsp" %>\n<%@ block name="a" %>',
    "2:1",
    /block "a" is not closed/,
  ],
  "a slot without end": ['<%@ slot name="a" %>', "1:1", /slot "a" is not closed/],
  "a block in a block": [
    '<%@ layout file="a.tsp" %><%@ block name="a" %><%@ block name="b" %><%@ end %><%@ end %>',
    "1:48",
    /cannot lie in block "a"/,
  ],
  "a name with signs": ['<%@ slot name="a-1`" %><%@ end %>', "1:16", /must be a letter and then/],
  "two layouts": [
    '<%@ layout file="a.tsp" %><%@ layout file="a.tsp" %>',
    "1:27",
    /only one layout/,
  ],
  "a late layout": ['a<%@ layout file="a.tsp" %>', "1:2", /move it to the top/],
  "late module code": ["a\n<%! b() %>", "2:1", /move it to the top/],
  "a mistake in a statement": ["a\n\n  <% const = 1; %>", "3:12", /SyntaxError/],
  "a mistake in an expression": ["a\n<b><%= 1 ++ 2 %>", "2:8", /SyntaxError/],
  "a mistake in an attribute": [
    '\n<%@ include file="a.tsp" with="{ a: 1 2 }" %>',
    "2:39",
    /SyntaxError/,
  ],
  "a mistake in module code": ["\n<%! let a = ; %>", "2:13", /SyntaxError/],
};

for (const [name, [page, place, message]] of Object.entries(mistakes)) {
  t.test(`mistake: ${name}`, async (t) => {
    let error: unknown;
    try {
      compile("/site/page.tsp", page, languages);
    } catch (thrown) {
      error = thrown;
    }
    if (!(error instanceof BuildError)) return t.fail("no BuildError", { error });
    t.equal(`${error.line}:${error.column}`, place);
    t.match(error.message, message);
    t.match(error.message, `(/site/page.tsp:${place})`);
    t.match(error.frame, `> ${error.line} | ${page.split(/\r?\n/)[error.line - 1]}`);
  });
}

t.test("an open brace is named in the file, be it in no line that helps", async (t) => {
  t.throws(() => compile("/a.tsp", "<% if (1) { %>\na", languages), /\(\/a\.tsp:2/);
});

t.test(
  "parts of other files: variables, an include in a loop, of itself, in a block",
  async (t) => {
    const pages = pageFolder(t, {
      "tree.tsp": `<%! interface Vars { tree: any } %>
<li><%= vars.tree.name %>
<% for (const tree of vars.tree.children ?? []) { %>
<%@ include file="./tree.tsp" with="{ tree }" %>
<% } %>
</li>
`,
      "layout.tsp": '<i><%@ slot name="a" %>none<%@ end %></i><%@ body %><%= vars.n %>',
      "page.tsp": `<%@ layout
  file="layout.tsp"
  with='{ n: vars.n, m: "%>" }' %>
body <% const x = "x"; %>
<%@ block name="a" %>
<%@ include file="part.tsp" with="{ x }" %> & <% if (true) %><%@ include file="part.tsp"
   with="{ x: 2 }" %>
<%@ end %>
end`,
      "part.tsp": "<b><%= vars.x %></b>",
    });
    const tree = { name: "a", children: [{ name: "<b>" }, { name: "c" }] };
    t.equal(
      (await pages.render("tree.tsp", { tree })).replaceAll("\n", ""),
      "<li>a<li>&lt;b&gt;</li><li>c</li></li>",
    );
    t.equal(await pages.render("page.tsp", { n: 5 }), "<i><b>x</b> & <b>2</b>\n</i>body \nend5");
  },
);

t.test("what a page says of itself", async (t) => {
  const pages = pageFolder(t, {
    "page.tsp":
      '<%@ page contentType="text/csv; charset=utf-8" errorPage="/a.tsp" pathInfo="on" %>',
    "plain.tsp": '<%@ slot name="a" %><%@ end %>',
  });
  t.match((await pages.load("page.tsp")).$info, {
    file: `${pages.folder}/page.tsp`,
    contentType: "text/csv; charset=utf-8",
    errorPage: "/a.tsp",
    pathInfo: true,
    slots: [],
  });
  t.match((await pages.load("plain.tsp")).$info, { pathInfo: false, slots: ["a"] });
});
