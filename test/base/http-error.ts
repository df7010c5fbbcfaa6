import t from "tap";
import { HttpError, isHttpError } from "../../src/base/http-error.ts";

t.test("what it carries", async (t) => {
  const cause = new Error("why");
  const error = new HttpError(404, {
    body: "gone",
    headers: { "x-a": ["1", "2"] },
    status: 410,
    cause,
  });
  t.match(error, { name: "HttpError", outcome: 404, status: 410, body: "gone", message: "gone" });
  t.strictSame(error.headers, { "x-a": ["1", "2"] });
  t.equal(error.cause, cause);
});

t.test("what it does not", async (t) => {
  const error = new HttpError(-1);
  t.match(error, { outcome: -1, message: "outcome -1" });
  t.equal(error.status, undefined);
  t.equal(error.body, undefined);
  t.strictSame(error.headers, {});
  t.notOk("cause" in error);
  t.ok("cause" in new HttpError(500, { cause: undefined }));
});

t.test("is recognised by name: a module may carry a second copy", async (t) => {
  class Copy extends Error {
    override readonly name = "HttpError";
    outcome: unknown = 404;
  }
  t.ok(isHttpError(new HttpError(0)));
  t.ok(isHttpError(new Copy()));
  t.notOk(isHttpError(Object.assign(new Copy(), { outcome: "404" })));
  t.notOk(isHttpError(new Error("HttpError")));
  for (const value of [{ name: "HttpError", outcome: 0 }, undefined, null, 404, "HttpError"]) {
    t.notOk(isHttpError(value));
  }
});
