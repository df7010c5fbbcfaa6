import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { phases } from "../../../src/cli/migrate/python-directives.ts";
import { readPython } from "../../../src/cli/migrate/python-source.ts";
import {
  handlerSkeleton,
  pageSkeleton,
  publishedSkeleton,
} from "../../../src/cli/migrate/skeleton.ts";
import { compile } from "../../../src/loader/compile.ts";
import { translatePage } from "../../../src/handlers/pages/translate.ts";

type Loaded = Record<string, ((...args: unknown[]) => unknown) & { auth?: () => boolean }>;

/** The outcome of the error that a function throws. */
function refusal(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { outcome?: unknown }).outcome;
  }
}

/** The skeleton as a module that runs. */
async function load(t: Test, text: string): Promise<Loaded> {
  const folder = t.testdir();
  const api = import.meta.resolve("../../../src/index.ts");
  const file = join(folder, `${Math.trunc(performance.now() * 1000)}.ts`);
  writeFileSync(file, text.replace('from "mod-ts"', `from ${JSON.stringify(api)}`));
  return (await import(file)) as Loaded;
}

t.test("handlers refuse, log handlers do not stop anything", async (t) => {
  const python = readPython(
    "def handler(req): pass\ndef loghandler(req): pass\nclass Site: pass\n",
  );
  const text = handlerSkeleton(
    {
      python: "a",
      source: "/srv/a.py",
      file: "a.ts",
      exports: [
        { path: "accessHandler", phase: phases["pythonaccesshandler"], kind: "handler" },
        { path: "Site.page", phase: phases["pythonhandler"], kind: "handler" },
        { path: "deep.er.fn", phase: phases["pythonhandler"], kind: "handler" },
        { path: "mask", phase: undefined, kind: "filter" },
      ],
    },
    python,
  );
  const module = await load(t, text);
  t.same(Object.keys(module).toSorted(), [
    "Site",
    "accessHandler",
    "deep",
    "handler",
    "logHandler",
    "mask",
  ]);
  t.equal(
    refusal(() => module["handler"]?.({})),
    501,
  );
  t.equal(
    refusal(() => module["accessHandler"]?.({})),
    403,
  );
  t.equal(
    refusal(() => module["mask"]?.("x")),
    501,
  );
  t.equal(module["logHandler"]?.({}), 0);
  t.match(text, /Line 1 of the Python module\. \*\/\nexport function handler/);
  t.notMatch(text, /\*\/\nexport (?:class Site|const deep|function mask)/);
  t.match(text, /export class Site \{\n {2}page\(/);
  t.match(text, /export const deep = \{ er: \{\n {2}fn\(/);
});

t.test("published functions keep their parameters and their guards", async (t) => {
  const text = publishedSkeleton(
    "/srv/pub/hello.py",
    readPython(`title = "x"
__auth__ = {"ann": "secret"}
def say(req, name, sep=', ', times=-1.5, opt=None, on=True, odd=f(1), *a, **kw):
    pass
def guarded(new, quote="a'b"):
    def __auth__(req, user, password): return 1
    return new
def _private(): pass
`),
  );
  const module = await load(t, text);
  t.same(Object.keys(module).toSorted(), ["auth", "guarded", "say"]);
  t.equal(
    refusal(() => module["say"]?.({}, "a")),
    501,
  );
  t.equal(module["auth"]?.(), false);
  t.equal(module["guarded"]?.auth?.(), false);
  const signature = /export function say\((.*)\): string/
    .exec(text)?.[1]
    ?.replaceAll("FormValue | FormValue[]", "F");
  t.equal(
    signature,
    'req: ApacheRequest, name: F, sep: F = ", ", times: F | number = -1.5, opt: F | null = null, ' +
      "on: F | boolean = true, odd: F | null = null /* f(1) */, ...kw: [name: string, value: FormValue][]",
  );
  t.match(text, /guarded\(new_ \/\* field "new": await req\.form\(\) \*\/: /);
  t.match(text, "// Also published in Python: title\n");
  t.notMatch(text, "secret");
});

t.test("a page keeps its HTML, and its Python as comments", (t) => {
  const text = pageSkeleton(
    `<h1><%= name %></h1><%-- note --%>
<%@ include file="part.psp" %><%@ include file="x.html" %>
<% for a in b: # --%>`,
    "/srv/a.psp",
  );
  t.match(text, "<h1><%-- <%= name %> --%></h1><%-- note --%>");
  t.match(text, '<%@ include file="part.tsp" %><%-- <%@ include file="x.html" %> --%>');
  t.equal(text.split("\n").at(-1), "<%-- <% for a in b: # -- %> --%>");
  const page = pageSkeleton(
    "<h1><%= name %></h1>\n<% for a in b: %>\n<%= a %>\n<% %>",
    "/srv/a.psp",
  );
  t.doesNotThrow(() => compile("/a.tsp", page, { ".tsp": translatePage }));
  t.end();
});
