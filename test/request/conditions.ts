import t from "tap";
import { evaluateConditions, fileEtag, quoteEtag } from "../../src/request/conditions.ts";
import { FileInfo } from "../../src/request/file-info.ts";
import { HeaderTable } from "../../src/request/headers.ts";

const mtime = 784111777.5; // Sun, 06 Nov 1994 08:49:37 GMT and a half
const same = "Sun, 06 Nov 1994 08:49:37 GMT";
const before = "Sun, 06 Nov 1994 08:49:36 GMT";
const etag = '"a"';

type Case = [headers: Record<string, string>, get: number, put: number];

const cases: Case[] = [
  [{}, 0, 0],
  [{ "if-match": '"a"' }, 0, 0],
  [{ "if-match": '"b", "a"' }, 0, 0],
  [{ "if-match": "*" }, 0, 0],
  [{ "if-match": '"b"' }, 412, 412],
  [{ "if-match": 'W/"a"' }, 412, 412],
  [{ "if-match": '"a"', "if-unmodified-since": before }, 0, 0],
  [{ "if-unmodified-since": same }, 0, 0],
  [{ "if-unmodified-since": before }, 412, 412],
  [{ "if-unmodified-since": "nonsense" }, 0, 0],
  [{ "if-none-match": '"a"' }, 304, 412],
  [{ "if-none-match": 'W/"a"' }, 304, 412],
  [{ "if-none-match": '"b", W/"a"' }, 304, 412],
  [{ "if-none-match": "*" }, 304, 412],
  [{ "if-none-match": '"b"' }, 0, 0],
  [{ "if-none-match": '"b"', "if-modified-since": same }, 0, 0],
  [{ "if-modified-since": same }, 304, 0],
  [{ "if-modified-since": "Sun Nov  6 08:49:37 1994" }, 304, 0],
  [{ "if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT" }, 304, 0],
  [{ "if-modified-since": "Sun Nov  6 08:49:36 1994" }, 0, 0],
  [{ "if-modified-since": before }, 0, 0],
  [{ "if-modified-since": "nonsense" }, 0, 0],
  [{ "if-match": '"b"', "if-none-match": '"a"' }, 412, 412],
];

t.test("RFC 9110, section 13.2.2", async (t) => {
  for (const [headers, get, put] of cases) {
    const table = new HeaderTable(headers);
    const name = JSON.stringify(headers);
    t.equal(evaluateConditions("GET", table, { etag, mtime }), get, `GET ${name}`);
    t.equal(evaluateConditions("HEAD", table, { etag, mtime }), get, `HEAD ${name}`);
    t.equal(evaluateConditions("PUT", table, { etag, mtime }), put, `PUT ${name}`);
  }
});

t.test("what is not known cannot match, nor be newer", async (t) => {
  const unknown = { etag: undefined, mtime: undefined };
  const evaluate = (name: string, value: string): number =>
    evaluateConditions("GET", new HeaderTable({ [name]: value }), unknown);
  t.equal(evaluate("if-match", '"a"'), 412);
  t.equal(evaluate("if-none-match", '"a"'), 0);
  t.equal(evaluate("if-unmodified-since", before), 0);
  t.equal(evaluate("if-modified-since", same), 0);
});

t.test("several lines count as one list", async (t) => {
  const table = new HeaderTable().add("If-None-Match", '"b"').add("If-None-Match", '"a"');
  t.equal(evaluateConditions("GET", table, { etag, mtime }), 304);
});

t.test("weak tags never match strongly, always weakly", async (t) => {
  const weak = { etag: 'W/"a"', mtime };
  t.equal(evaluateConditions("GET", new HeaderTable({ "if-match": 'W/"a"' }), weak), 412);
  t.equal(evaluateConditions("GET", new HeaderTable({ "if-none-match": '"a"' }), weak), 304);
});

t.test("fileEtag", async (t) => {
  const folder = t.testdir({ file: "hello" });
  const info = new FileInfo(`${folder}/file`);
  const time = info.mtime as number;
  t.match(fileEtag(info, time + 10), /^"5-[0-9a-f]+"$/);
  t.match(fileEtag(info, time), /^W\/"5-/, "it may change again within the second");
  t.equal(fileEtag(new FileInfo(`${folder}/none`), time), undefined);
});

t.test("quoteEtag", async (t) => {
  t.equal(quoteEtag("a"), '"a"');
  t.equal(quoteEtag('"a"'), '"a"');
  t.equal(quoteEtag('W/"a"'), 'W/"a"');
  t.equal(quoteEtag('a"b'), '"ab"');
});
