/** The URL of an application; what Apache really says is in test/apache/fetch.ts. */
import t from "tap";
import { applicationUrl } from "../../src/adapters/application-url.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

/** `uri` is the path as Apache understood it, by default the decoded one. */
function urlOf(target: string, base = "", uri?: string) {
  const [path = "", ...query] = target.split("?");
  const context = contextOf({
    target,
    uri: uri ?? decodeURIComponent(path),
    args: query.join("?"),
  });
  return applicationUrl(new ApacheRequest(context, {} as never), base);
}

const whole = (target: string, uri?: string) => urlOf(target, "", uri)?.whole;

t.test("as sent", async (t) => {
  for (const target of [
    "/",
    "/a/b?x=1&y",
    "/a%20b/%C3%A9",
    "/%61",
    "/a;b=c+d",
    "/a/?",
    "/a.b/..c",
  ]) {
    t.equal(whole(target), target.replace(/\?$/, ""));
  }
  t.equal(whole("/a?x=?y#"), "/a?x=?y#");
  t.equal(whole("http://www.example.com/a?x", "/a"), "/a?x");
  t.equal(whole("http://www.example.com", "/"), "/");
});

t.test("as Apache understood it, where the two differ", async (t) => {
  t.equal(whole("/a//b", "/a/b"), "/a/b");
  t.equal(whole("/a/./b/../c", "/a/c"), "/a/c");
  t.equal(whole("/a/%2e%2E/b", "/b"), "/b");
  t.equal(whole("/a/..", "/"), "/");
  t.equal(whole("/a%2fb", "/a/b"), "/a/b", "AllowEncodedSlashes On");
  t.equal(whole("/a%2fb", "/a%2fb"), "/a%2fb", "AllowEncodedSlashes NoDecode");
  t.equal(whole("/a%252Fb", "/a%2Fb"), "/a%252Fb");
  t.equal(whole("/old?x", "/new place/50%"), "/new%20place/50%25?x", "rewritten");
});

t.test("below a base", async (t) => {
  const parts = (target: string, base: string, uri?: string) => {
    const url = urlOf(target, base, uri);
    return url && [url.base, url.rest, url.whole];
  };
  t.strictSame(parts("/app", "/app"), ["/app", "/", "/app"]);
  t.strictSame(parts("/app?x", "/app"), ["/app", "/?x", "/app?x"]);
  t.strictSame(parts("/app/", "/app"), ["/app", "/", "/app/"]);
  t.strictSame(parts("/app/a/b", "/app/a"), ["/app/a", "/b", "/app/a/b"]);
  t.strictSame(parts("/%61pp/b", "/app"), ["/%61pp", "/b", "/%61pp/b"]);
  t.strictSame(parts("/a%20b/c%20d", "/a b"), ["/a%20b", "/c%20d", "/a%20b/c%20d"]);
  t.strictSame(parts("/%C3%A9/x", "/é"), ["/%C3%A9", "/x", "/%C3%A9/x"]);
  t.strictSame(parts("/x/../app//b", "/app", "/app/b"), ["/app", "/b", "/app/b"]);
  t.strictSame(parts("/a/b", ""), ["", "/a/b", "/a/b"]);
  for (const target of ["/", "/ap", "/apple", "/APP/x", "/x/app", "/app%2Fx"]) {
    t.equal(urlOf(target, "/app", target === "/app%2Fx" ? target : undefined), undefined, target);
  }
});
