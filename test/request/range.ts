/** A part of a resource: RFC 9110, section 14. */
import t from "tap";
import { parseRange, rangeApplies } from "../../src/request/range.ts";

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
