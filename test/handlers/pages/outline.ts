import t from "tap";
import { declareNames, ownNames } from "../../../src/handlers/pages/outline.ts";
import { type Code, PageSource } from "../../../src/handlers/pages/page-source.ts";
import { scan } from "../../../src/handlers/pages/scan.ts";

const parse = (page: string): Code[] =>
  scan(new PageSource("/a.tsp", page)).filter((part) => "tokens" in part);

/** Names that are declared for a page. */
function declared(code: string, module = ""): string[] {
  const tokens = parse(`<% ${code} %>`).flatMap((part) => part.tokens);
  const own = ownNames(parse(`<%! ${module} %>`));
  return [...declareNames(tokens, own).matchAll(/const (\w+) = (?!\$out)/g)]
    .map(([, name = ""]) => name)
    .filter((name) => name !== "text");
}

t.test("only what the code uses", async (t) => {
  t.same(declared("a(form, req.uri, session)"), ["req", "form", "session"]);
  t.same(declared("`${form}` + [...include]"), ["include", "form"]);
  t.same(declared("write(1); await flush()"), ["write", "flush"]);
  t.same(declared("page.redirect(exception, escape(1))"), ["page", "exception", "escape"]);
});

t.test("no members, no text, no comments, no part of a longer name", async (t) => {
  for (const code of [
    "a.form",
    "a?.session",
    "'form'",
    "/form/",
    "// form",
    "forms + $form",
    "`session`",
  ]) {
    t.same(declared(code), [], code);
  }
});

t.test("what module code declares is left alone", async (t) => {
  const all = "form, page, req, write";
  for (const [module, left] of [
    ["import { form, x as page } from 'a'; import req, * as write from 'b';", []],
    ["function form() {} class page {} const req = 1; let write;", []],
    ["const { form, a: page } = x, req = 1, [write] = y;", ["write"]],
    ["const form = 1, page = 2; export const req = form, write = 1;", []],
    [
      "function f(req) { return req.form; } const g = async (page) => import('write');",
      ["req", "page", "write", "form"],
    ],
  ] as const) {
    t.same(declared(all, module), left, module);
  }
});
