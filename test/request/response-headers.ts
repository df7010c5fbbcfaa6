import t from "tap";
import {
  checkHeader,
  parseStatusLine,
  isConnectionHeader,
  ResponseHeaders,
} from "../../src/request/headers.ts";

const moved = (table: ResponseHeaders, withoutType = false): string[] => {
  const target: string[] = [];
  table.moveTo(target, withoutType);
  return target;
};

t.test(
  "headers are sent without those of the connection, and without a type on request",
  async (t) => {
    const table = (): ResponseHeaders => {
      const headers = new ResponseHeaders();
      headers.set("X", "1").set("content-type", "a/b").set("Transfer-Encoding", "x").add("x", "2");
      return headers;
    };
    t.strictSame(moved(table()), ["X", "1", "content-type", "a/b", "x", "2"]);
    t.strictSame(moved(table(), true), ["X", "1", "x", "2"]);
  },
);

t.test("a table made after the headers were sent is frozen", async (t) => {
  t.throws(() => new ResponseHeaders(true).set("X", "1"), { code: "MODTS_HEADERS_SENT" });
});

t.test("nothing that splits a response gets in", async (t) => {
  const table = new ResponseHeaders();
  for (const value of ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "\u{1f600}", "a\u010ab"]) {
    t.throws(() => table.set("X", value), { code: "MODTS_BAD_HEADER" }, JSON.stringify(value));
    t.throws(() => table.add("X", value), { code: "MODTS_BAD_HEADER" });
  }
  for (const name of ["", "a b", "a:b", "a\r\nb", "ä"]) {
    t.throws(() => table.set(name, "v"), { code: "MODTS_BAD_HEADER" }, JSON.stringify(name));
  }
  t.equal(table.size, 0);
  table.set("X", "v\tw \xe4");
  t.equal(table.hasLatin1, true);
  t.equal(new ResponseHeaders().set("X", "y").get("x"), "y");
});

t.test("a length is a number", async (t) => {
  for (const value of ["", "-1", "1e3", "0x10", "5, 5", "1.5", "+5", " 5"]) {
    t.throws(() => checkHeader("content-LENGTH", value), { code: "MODTS_BAD_HEADER" }, value);
  }
  t.doesNotThrow(() => checkHeader("Content-Length", "123"));
});

t.test("frozen tables say which header came too late", async (t) => {
  const table = new ResponseHeaders();
  table.set("X-A", "1");
  t.strictSame(moved(table), ["X-A", "1"]);
  const late = { code: "MODTS_HEADERS_SENT", message: /X-A/ };
  t.throws(() => table.set("X-A", "2"), late);
  t.throws(() => table.add("X-A", "2"), late);
  t.throws(() => table.delete("X-A"), late);
  t.throws(() => table.clear(), late);
  t.equal(table.delete("X-B"), false, "no change, no error");
  t.equal(table.get("x-a"), "1");
});

t.test("a status line", async (t) => {
  t.strictSame(parseStatusLine("404 Not Here"), { status: 404, reason: "Not Here" });
  t.strictSame(parseStatusLine("200 Fine \xfc"), { status: 200, reason: "Fine \xfc" });
  t.strictSame(parseStatusLine("404"), { status: 404, reason: "" });
  for (const line of ["", "Not Here", "40 X", "4040 X"]) {
    t.throws(() => parseStatusLine(line), { code: "MODTS_BAD_ARGUMENT" }, line);
  }
  for (const line of ["200 OK\r\nX: y", "200 \u0142"]) {
    t.throws(() => parseStatusLine(line), { code: "MODTS_BAD_HEADER" }, line);
  }
});

t.test("isConnectionHeader", async (t) => {
  t.ok(isConnectionHeader("Transfer-Encoding"));
  t.ok(isConnectionHeader("connection"));
  t.notOk(isConnectionHeader("content-type"));
});
