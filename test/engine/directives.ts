import t from "tap";
import { parseDirectives, selectHandlers } from "../../src/engine/directives.ts";

const names = (
  lines: string[],
  phase: "handler" | "fixup" | "access",
  filename: string,
): string[] =>
  selectHandlers(parseDirectives(lines).handlers.get(phase), { filename }).map(({ text }) => text);

t.test("several handlers on one line run in order", (t) => {
  t.same(names(["handler a.ts  b.ts::x c.ts"], "handler", "/f"), ["a.ts", "b.ts::x", "c.ts"]);
  t.end();
});

t.test("an inner section replaces the list of the outer one, phase by phase", (t) => {
  const lines = ["handler outer.ts", "fixup f.ts", "handler inner.ts"];
  t.same(names(lines, "handler", "/f"), ["inner.ts"]);
  t.same(names(lines, "fixup", "/f"), ["f.ts"]);
  t.end();
});

t.test("a list for an extension is used instead of the plain one, never both", (t) => {
  const lines = ["handler plain.ts", "handler html.ts | .html .htm"];
  t.same(names(lines, "handler", "/d.x/a.html"), ["html.ts"]);
  t.same(names(lines, "handler", "/a.htm"), ["html.ts"]);
  t.same(names(lines, "handler", "/a.txt"), ["plain.ts"]);
  t.same(names(lines, "handler", "/none"), ["plain.ts"]);
  t.same(
    names(["handler tar.ts | .tar.gz", "handler gz.ts | .gz"], "handler", "/x.tar.gz"),
    ["tar.ts"],
    "the extension is all after the first dot",
  );
  t.same(
    names([...lines, "handler later.ts"], "handler", "/a.html"),
    ["html.ts"],
    "a plain list of an inner section does not beat the outer list for the extension",
  );
  t.end();
});

t.test("lists of access handlers add up, and a reference runs once", (t) => {
  const lines = ["access a.ts b.ts", "access b.ts c.ts", "access d.ts a.ts | .html"];
  t.same(names(lines, "access", "/f"), ["a.ts", "b.ts", "c.ts"]);
  t.same(names(lines, "access", "/f.html"), ["a.ts", "b.ts", "c.ts", "d.ts"]);
  t.same(names(lines.slice(2), "access", "/f"), []);
  t.same(names([...lines, "access e.ts | .html"], "access", "/f.html").at(-1), "e.ts");
  t.end();
});

t.test("options are inherited, overridden, and removed by an empty value", (t) => {
  const { options } = parseDirectives([
    "option a 1",
    "option b two words = fine",
    "option c x",
    "option a 2",
    "option c",
    "option __proto__ safe",
  ]);
  t.same(Object.entries(options), [
    ["a", "2"],
    ["b", "two words = fine"],
    ["__proto__", "safe"],
  ]);
  t.equal(Object.getPrototypeOf(options), null);
  t.ok(Object.isFrozen(options));
  t.end();
});

t.test("debug and interpreter: the last word wins", (t) => {
  t.match(parseDirectives([]), { debug: false, interpreter: undefined });
  t.match(parseDirectives(["debug On", "interpreter blog"]), { debug: true, interpreter: "blog" });
  t.match(parseDirectives(["debug On", "debug off"]), { debug: false });
  t.end();
});

t.test(
  "a line that is not understood is an error, not a handler that silently does not run",
  (t) => {
    for (const line of ["hander a.ts", "debug maybe", "option", ""]) {
      t.throws(() => parseDirectives([line]), { code: "MODTS_BAD_CONFIG_LINE" }, line);
    }
    t.throws(() => parseDirectives(["handler"]), { code: "MODTS_BAD_REFERENCE" });
    t.end();
  },
);

t.test("handlers of another sidecar do not run here", (t) => {
  const of = (lines: string[], sidecar: string) => parseDirectives(lines, sidecar).handlers;
  t.match(of(["access @blog a.ts | .html"], "blog").get("access"), {
    byExtension: new Map([[".html", [{ text: "a.ts" }]]]),
  });
  for (const phase of ["access", "authen", "authz", "trans", "init", "type", "fixup"]) {
    for (const [line, own] of [
      [`${phase} @blog a.ts`, ""],
      [`${phase} @blog a.ts`, "shop"],
      [`${phase} a.ts`, "blog"],
    ] as const) {
      t.throws(() => of([line, `${phase} ${own && `@${own} `}own.ts`], own), {
        code: "MODTS_OTHER_SIDECAR",
      });
    }
  }
  const content = ["handler outer.ts", "log log.ts", "option a b", "handler @blog inner.ts"];
  t.match(of(content, "blog").get("handler"), { plain: [{ text: "inner.ts" }] });
  t.notOk(of(content, "blog").has("log"), "the other one logs by itself");
  t.throws(() => of(content, ""), { code: "MODTS_OTHER_SIDECAR" }, "the inner section decides");
  t.throws(() => of([...content, "handler last.ts"], "blog"), { code: "MODTS_OTHER_SIDECAR" });
  t.end();
});

t.test("phases that run before a callback", (t) => {
  const lines = ["pass", "guarded", "init a.ts", "type b.ts", "fixup c.ts", "accept env.THEME"];
  const { handlers, decided } = parseDirectives(lines);
  t.strictSame([...handlers.keys()], ["init", "handler"], "the authorizer has run type and fixup");
  t.match(handlers.get("handler"), { plain: [{ text: "mod_ts/origin" }] });
  t.strictSame(decided, {
    lines: ["init a.ts", "type b.ts", "fixup c.ts"],
    accepted: new Set(["env.theme"]),
  });
  const own = parseDirectives(["pass", "handler own.ts"]);
  t.match(own.handlers.get("handler"), { plain: [{ text: "own.ts" }] }, "content of our own");
  t.equal(own.decided, undefined);
  t.end();
});
