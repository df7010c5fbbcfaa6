import t from "tap";
import { redirect } from "../../../src/request/response/redirect.ts";
import { serve } from "../../fixtures/exchange-server.ts";

t.test("302 with a link; cookies survive, what was written does not", async (t) => {
  const server = await serve(t, (req) => {
    req.write("old");
    req.setContentLength(3);
    req.headersOut.add("Set-Cookie", "a=1");
    req.headersOut.set("Location", "/wrong");
    redirect(req, `/a?b=1&c="<`);
  });
  const answer = await server.ask();
  t.equal(answer.status, 302);
  t.match(answer.headers, {
    location: `/a?b=1&c="<`,
    "set-cookie": "a=1",
    "content-type": "text/html; charset=utf-8",
  });
  t.equal(
    answer.body,
    '<p>The document has moved <a href="/a?b=1&amp;c=&quot;&lt;">here</a>.</p>\n',
  );
  t.ok(answer.complete);
});

t.test("options", async (t) => {
  const server = await serve(t, (req) => {
    if (req.unparsedUri === "/permanent") redirect(req, "/x", { permanent: true });
    req.contentType = "text/plain";
    redirect(req, "/x", { status: 303, text: "see there" });
  });
  t.equal((await server.ask("GET /permanent")).status, 301);
  const other = await server.ask();
  t.equal(other.status, 303);
  t.equal(other.body, "see there");
  t.equal(other.headers["content-type"], "text/plain; charset=utf-8");
});

t.test("a location cannot split the response", async (t) => {
  const server = await serve(t, (req) => {
    t.throws(() => redirect(req, "/a\r\nSet-Cookie: x=1"), { code: "MODTS_BAD_HEADER" });
    t.throws(() => redirect(req, "/a\0"), { code: "MODTS_BAD_HEADER" });
    redirect(req, "/grün \ud800/\u{1f600}?ä=ö");
  });
  const { headers } = await server.ask();
  t.equal(headers["location"], "/gr%C3%BCn%20%EF%BF%BD/%F0%9F%98%80?%C3%A4=%C3%B6");
  t.equal(headers["set-cookie"], undefined);
});

t.test("too late", async (t) => {
  const server = await serve(t, async (req) => {
    await req.flush();
    redirect(req, "/x");
  });
  const answer = await server.ask();
  t.equal(answer.complete, false);
  t.match(server.errors, [{ code: "MODTS_HEADERS_SENT", message: /Location/ }]);
});
