import { runInNewContext } from "node:vm";
import t from "tap";
import { sessionFromJson, sessionToJson } from "../../src/sessions/session-json.ts";

const limit = 1000;

t.test("there and back", async (t) => {
  const data = { n: 1, list: [1, "ä", null, true, { deep: {} }], none: null, "": 0 };
  const again = sessionFromJson(sessionToJson(data, limit));
  t.strictSame({ ...again }, data);
  t.equal(sessionToJson({ gone: undefined }, limit), "{}", "undefined is how to remove a value");
  const foreign = runInNewContext("({ list: [{ a: 1 }] })") as object;
  t.equal(sessionToJson({ foreign }, limit), '{"foreign":{"list":[{"a":1}]}}');
});

t.test("any name may be asked for, and set", async (t) => {
  const data = sessionFromJson('{"__proto__":{"admin":true},"toString":1}');
  t.equal(data["constructor"], undefined);
  t.equal(data["admin"], undefined);
  t.equal(data["toString"], 1);
  t.strictSame(Object.keys(data), ["__proto__", "toString"]);
  t.equal(({} as Record<string, unknown>)["admin"], undefined);
});

t.test("what JSON does not keep is an error that says where", async (t) => {
  class Cart {
    items = [];
  }
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const cases: [unknown, string][] = [
    [new Date(), "data.x: an object of class Date"],
    [new Map(), "data.x: an object of class Map"],
    [new Cart(), "data.x: an object of class Cart"],
    [Buffer.from(""), "data.x: an object of class Buffer"],
    [[1, { y: [new Set()] }], "data.x[1].y[0]: an object of class Set"],
    [() => 1, "data.x: a function"],
    [Symbol("s"), "data.x: a symbol"],
    [1n, "data.x: a bigint"],
    [NaN, "data.x: NaN"],
    [-Infinity, "data.x: -Infinity"],
    [cycle, "a cycle, or too deep"],
  ];
  for (const [value, message] of cases) {
    t.throws(() => sessionToJson({ x: value }, limit), {
      code: "MODTS_SESSION_DATA",
      message: new RegExp(message.replace(/[[\]().]/g, "\\$&")),
    });
  }
});

t.test("size in bytes", async (t) => {
  t.equal(sessionToJson({ x: "é".repeat(496) }, limit).length, 504);
  t.throws(() => sessionToJson({ x: "é".repeat(497) }, limit), {
    code: "MODTS_SESSION_DATA",
    message: /1002 bytes, more than mod_ts.session.max_bytes \(1000\)/,
  });
});

t.test("text that is no session", async (t) => {
  for (const text of ["", "{", "null", "1", '"x"', "[]"]) {
    t.throws(() => sessionFromJson(text), Error, text);
  }
});
