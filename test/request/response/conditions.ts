import t from "tap";
import {
  evaluateConditions,
  fileEtag,
  parseRange,
  quoteEtag,
  rangeApplies,
} from "../../../src/request/response/conditions.ts";
import { FileInfo } from "../../../src/request/file-info.ts";
import { HeaderTable } from "../../../src/request/headers.ts";

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

t.test("ranges of ten bytes", async (t) => {
  const expected: Record<string, ReturnType<typeof parseRange>> = {
    "bytes=0-4": { offset: 0, length: 5 },
    "Bytes=9-9": { offset: 9, length: 1 },
    "bytes=5-": { offset: 5, length: 5 },
    "bytes=5-100": { offset: 5, length: 5 },
    "bytes=-3": { offset: 7, length: 3 },
    "bytes=-100": { offset: 0, length: 10 },
    "bytes=-0": "unsatisfiable",
    "bytes=10-": "unsatisfiable",
    "bytes=10-20": "unsatisfiable",
    "bytes=99999999999999999999-": "unsatisfiable",
    "bytes=5-2": undefined,
    "bytes=-": undefined,
    "bytes=": undefined,
    "bytes=a-b": undefined,
    "bytes=0x1-2": undefined,
    "bytes=1-2,4-5": undefined,
    "chars=0-4": undefined,
    "": undefined,
  };
  for (const [header, range] of Object.entries(expected))
    t.same(parseRange(header, 10), range, header);
  t.equal(parseRange(undefined, 10), undefined);
  t.equal(parseRange("bytes=0-", 0), "unsatisfiable");
  t.equal(parseRange("bytes=-5", 0), "unsatisfiable");
});

t.test("If-Range", async (t) => {
  const lastModified = "Fri, 01 Mar 2024 12:00:00 GMT";
  const known = { etag: '"a"', lastModified };
  t.ok(rangeApplies(undefined, known));
  t.ok(rangeApplies('"a"', known));
  t.ok(rangeApplies(lastModified, known));
  t.notOk(rangeApplies('"b"', known));
  t.notOk(rangeApplies("Fri, 01 Mar 2024 12:00:01 GMT", known));
  t.notOk(rangeApplies("", known));
  t.notOk(rangeApplies('W/"a"', { etag: 'W/"a"', lastModified }), "a weak tag proves nothing");
  t.notOk(rangeApplies(lastModified, { etag: undefined, lastModified: undefined }));
});
