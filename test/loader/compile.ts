import t from "tap";
import { BuildError } from "../../src/loader/build-error.ts";
import { type Columns, compile, sourceColumn } from "../../src/loader/compile.ts";

function failure(source: string, file = "/a.ts"): BuildError {
  try {
    compile(file, source);
  } catch (error) {
    return error as BuildError;
  }
  throw new Error("it compiled");
}

t.test("what TypeScript adds goes away, or becomes JavaScript", (t) => {
  const { code, map } = compile(
    "/a.ts",
    `import { type A, b } from "b"; import { C } from "c"; enum E { one }
     class D { constructor(private readonly x: A) {} } namespace N { export const y = 1; }
     export const z = b satisfies C as unknown;`,
  );
  t.match(code, /import \{ b \} from "b"/);
  t.notMatch(code, /"c"|satisfies|private|: A/);
  t.match(map, { sources: ["/a.ts"], sourcesContent: [] });
  t.end();
});

t.test("JSX in .tsx and .jsx, not in .ts", (t) => {
  const source = "export const a = <b>text</b>;";
  t.match(compile("/a.tsx", source).code, /react\/jsx-runtime/);
  t.match(compile("/a.jsx", `/** @jsxImportSource mine */\n${source}`).code, /mine\/jsx-runtime/);
  t.equal(failure(source).name, "BuildError");
  t.end();
});

t.test("a mistake has its place, also behind characters of several bytes", (t) => {
  const error = failure('const é = "ü💥";\nlet ö = 1; let x: number = ;\nmore();');
  t.match(error, { file: "/a.ts", line: 2, column: 28 });
  t.match(error.message, "SyntaxError: Unexpected token (/a.ts:2:28)");
  t.match(error.frame, "> 2 | let ö = 1; let x: number = ;");
  t.end();
});

t.test("a mistake that the compiler would let pass with code", (t) => {
  t.match(failure("export const a = 1;\nreturn a;"), { line: 2 });
  t.match(failure("function f() { await 1; }"), { line: 1 });
  t.end();
});

t.test("other extensions are not taken", (t) => {
  t.match(failure("", "/a.txt").message, /"\.txt" is not an extension/);
  t.end();
});

t.test(
  "another language is compiled as its translation, and mistakes go back to its columns",
  (t) => {
    const languages = {
      ".shout": (_file: string, source: string) => ({
        code: `export const a = ${source.toLowerCase()}`,
        columns: [[1, 17, 0]] as const,
      }),
    };
    t.match(compile("/a.shout", "ASK(1);", languages), {
      code: /export const a = ask\(1\)/,
      columns: [[1, 17, 0]],
    });
    t.throws(() => compile("/a.shout", "1 +;", languages), /\(\/a\.shout:1:4\)/);
    t.end();
  },
);

const columns: Columns = [
  [1, 40, 3],
  [3, 0, 0],
  [3, 10, 4],
  [3, 30, 20],
  [5, 2, 8],
];

t.test("a column goes back by the last piece before it", async (t) => {
  t.equal(sourceColumn(columns, 1, 41), 4, "the first character of a piece");
  t.equal(sourceColumn(columns, 1, 45), 8);
  t.equal(sourceColumn(columns, 3, 5), 5);
  t.equal(sourceColumn(columns, 3, 11), 5);
  t.equal(sourceColumn(columns, 3, 31), 21);
  t.equal(sourceColumn(columns, 5, 3), 9);
});

t.test("where nothing was moved it stays", async (t) => {
  for (const [line, column] of [
    [1, 40],
    [2, 7],
    [4, 1],
    [5, 2],
    [9, 9],
    [0, 0],
  ] as const) {
    t.equal(sourceColumn(columns, line, column), column, `${line}:${column}`);
  }
  t.equal(sourceColumn([], 3, 4), 4);
});

t.test("a byte order mark, also before the first line of a program", (t) => {
  for (const name of ["/a.ts", "/a.js"]) {
    t.match(compile(name, "\ufeff#!/bin/node\nexport const a = 1;").code, /export const a = 1;/);
    t.match(compile(name, "\ufeffexport const a = 1;").code, /export const a = 1;/);
  }
  t.match(failure("\ufeff#!/bin/node\nconst = 1;"), { line: 2, column: 7 });
  t.end();
});
