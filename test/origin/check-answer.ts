import type { IncomingMessage } from "node:http";
import t from "tap";
import { checkAnswer } from "../../src/origin/check-answer.ts";
import type { Exchange } from "../../src/request/exchange.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const root = btoa("/srv/htdocs");

/** The code of what is wrong, and whether the answer was given up. */
function judge(
  mark: string | undefined,
  { type = "text/plain", file = "/srv/htdocs/a.php", status = 200, isPass = true } = {},
): [string | undefined, boolean] {
  let destroyed = false;
  const answer = {
    statusCode: status,
    headers: { "content-type": type, ...(mark !== undefined && { "mod-ts-origin": mark }) },
    destroy: () => (destroyed = true),
  };
  const req = new ApacheRequest(contextOf({ filename: file }), {} as Exchange);
  try {
    checkAnswer(answer as unknown as IncomingMessage, { req, origin: "Apache", isPass });
    return [undefined, destroyed];
  } catch (error) {
    return [(error as { code: string }).code, destroyed];
  }
}

t.test("only what Apache has marked", async (t) => {
  t.same(judge(`1;${root};application/x-httpd-php`), [undefined, false]);
  for (const mark of [undefined, "", "1", `2;${root};x`, `1;${root};a, 1;${root};b`]) {
    t.same(judge(mark), ["MODTS_ORIGIN_REFUSED", true], String(mark));
  }
  t.same(judge(`1;${btoa("/srv/other")};x`), ["MODTS_ORIGIN_REFUSED", true]);
});

t.test("no program as its source", async (t) => {
  t.same(judge(`1;${root};`), ["MODTS_ORIGIN_HIDDEN", true]);
  t.same(judge(`1;${root};text/plain`, { type: "text/plain; charset=utf-8" }), [
    "MODTS_ORIGIN_HIDDEN",
    true,
  ]);
  t.same(judge(`1;${root};application/x-httpd-php`, { type: "text/html" }), [undefined, false]);
  const hidden = ["MODTS_ORIGIN_HIDDEN", true];
  t.same(judge(`1;${root};default-handler`, { type: "" }), hidden);
  t.same(judge(`1;${root};text/x-python`, { type: "text/plain" }), hidden, "a type set later");
  const several = { type: "multipart/byteranges; boundary=x", status: 206 };
  for (const handler of ["", "text/plain", "application/x-httpd-php"]) {
    t.same(judge(`1;${root};${handler}`, several), hidden, handler);
  }
  t.same(judge(`1;${root};text/plain`, { status: 206 }), hidden);
  t.same(judge(`1;${root};application/x-httpd-php`, { status: 206 }), [undefined, false]);
  t.same(judge(`1;${root};proxy:unix:/run/php.sock|fcgi://x`), [undefined, false]);
  t.same(judge(`1;${root};cgi-script`, several), [undefined, false], "a program may answer so");
  t.same(judge(`1;${root};`, { file: "/srv/htdocs/a.txt" }), [undefined, false]);
  t.same(judge(`1;${root};`, { status: 404 }), [undefined, false]);
  t.same(judge(`1;${root};`, { isPass: false }), [undefined, false]);
});
