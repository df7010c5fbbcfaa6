import { STATUS_CODES } from "node:http";
import t from "tap";
import * as status from "../../src/base/http-status.ts";

const { isHttpStatus, reasonPhrase, ...names } = status;

t.test("mod_python's names, and their numbers", async (t) => {
  for (const [name, code] of Object.entries(names)) {
    t.match(name, /^HTTP_[A-Z_]+$/);
    t.ok(isHttpStatus(code), name);
    t.ok(STATUS_CODES[code], `${name} has a reason phrase`);
  }
  const codes = Object.values(names);
  t.equal(new Set(codes).size, codes.length, "none twice");
  t.match(names, { HTTP_OK: 200, HTTP_MOVED_TEMPORARILY: 302, HTTP_IM_A_TEAPOT: 418 });
});

t.test("reason phrases", async (t) => {
  t.equal(reasonPhrase(404), "Not Found");
  t.equal(reasonPhrase(599), "Unknown");
});

t.test("what can stand in a status line", async (t) => {
  for (const value of [100, 200, 599]) t.ok(isHttpStatus(value), String(value));
  for (const value of [99, 600, -1, 0, 200.5, NaN, "200", null, undefined, true, 200n]) {
    t.notOk(isHttpStatus(value), String(value));
  }
});
