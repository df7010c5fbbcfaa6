import t from "tap";
import { ApacheRequest } from "../../src/request/request.ts";
import { canonicalPath, requestedUrl } from "../../src/request/requested-url.ts";
import type { RequestContext } from "../../src/request/exchange.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

t.test("the path is what Apache understands", async (t) => {
  for (const [sent, served, expected] of [
    ["/a/b", "/a/b", "/a/b"],
    ["/", "/", "/"],
    ["//a///b//", "/a/b/", "/a/b/"],
    ["/public/../admin", "/admin", "/admin"],
    ["/public/%2e%2E/admin", "/admin", "/admin"],
    ["/./a/.", "/a/", "/a/"],
    ["/../../a", "/a", "/a"],
    ["/%61dmin", "/admin", "/admin"],
    ["/a;x=1/b", "/a;x=1/b", "/a;x=1/b"],
    ["/a%20b%3Fc%23d", "/a b?c#d", "/a%20b%3Fc%23d"],
    ["/caf%C3%A9", "/café", "/caf%C3%A9"],
    ["/caf%e9", "/caf\u00e9", "/caf%E9"],
    ["/a%25b", "/a%b", "/a%25b"],
    ["/a%2525", "/a%25", "/a%2525"],
  ] as const) {
    t.equal(canonicalPath(sent, served), expected, sent);
  }
});

t.test("%2F means what Apache took it for", async (t) => {
  t.equal(canonicalPath("/public%2F..%2Fadmin", "/admin"), "/admin", "AllowEncodedSlashes On");
  t.equal(canonicalPath("/a%2fb", "/a%2fb"), "/a%2Fb", "NoDecode");
  t.equal(canonicalPath("/public/x%2F..%2F..%2Fadmin", "/app/index.php"), "/app/index.php");
  t.equal(canonicalPath("/a%2Fb", "/c d"), "/c%20d", "rewritten");
  for (const path of ["/up/..%2f..%2fadmin", "/up/x%2F..", "/up/%2F.%2Fx", "/up/..%5c..%2fadmin"]) {
    const served = path.replaceAll("%5c", "\\");
    t.throws(() => canonicalPath(path, served), { code: "MODTS_BAD_URL", status: 400 }, path);
  }
});

t.test("a path that another server may leave upwards", async (t) => {
  const odd = ["..;", "..;x=1", ".;", "..%3B", "..%5Cb", "..\\b", "b\\..", "b%5C.%5C", "..;\\..;b"];
  for (const segment of odd) {
    const sent = `/up/${segment}/admin`;
    const served = decodeURIComponent(sent);
    t.throws(() => canonicalPath(sent, served), { code: "MODTS_BAD_URL", status: 400 }, sent);
  }
  for (const segment of ["a;..", "..a", "...", "a..;", "a\\b", ";x=..", "..%252f.."]) {
    const sent = `/up/${segment}/admin`;
    t.doesNotThrow(() => canonicalPath(sent, decodeURIComponent(sent)), sent);
  }
});

t.test("MergeSlashes Off: the served path tells what .. removes", async (t) => {
  for (const sent of ["/priv//../secret", "/priv//%2e%2e/secret", "/./priv/x/..//../secret"]) {
    t.equal(canonicalPath(sent, "/priv/secret"), "/priv/secret", sent);
    t.equal(canonicalPath(sent, "/secret"), "/secret", sent);
    t.equal(canonicalPath(sent, "/index.php"), "/index.php", "rewritten, and nobody knows how");
  }
  t.equal(canonicalPath("/a//b/../c", "/a//c"), "/a/c");
  t.equal(canonicalPath("//../../x/..", "/"), "/");
});

t.test("a rewritten path is judged as people see it", async (t) => {
  t.equal(canonicalPath("/pretty//x", "/index.php"), "/pretty/x");
});

const of = (context: Partial<RequestContext>): object =>
  requestedUrl(new ApacheRequest(contextOf(context), undefined as never));

t.test("scheme, host and query", async (t) => {
  t.same(of({}), { scheme: "http", host: "www.example.com", uri: "/a/b?x=1" });
  t.match(of({ scheme: "https", rawHeaders: ["Host", "a:8443"] }), {
    scheme: "https",
    host: "a:8443",
  });
  t.match(of({ rawHeaders: [], serverPort: 81 }), { host: "www.example.com:81" });
  t.match(of({ rawHeaders: ["Host", "a/../b"] }), { host: "www.example.com" });
  t.match(of({ rawHeaders: ["Host", "[::1]:80"] }), { host: "[::1]" });
  const spellings = [
    "www.example.com",
    "www.example.com.",
    "WWW.example.COM:80",
    "www.example.com.:080",
  ];
  for (const host of spellings) {
    t.match(of({ rawHeaders: ["Host", host] }), { host: "www.example.com" }, host);
  }
  t.match(of({ rawHeaders: ["Host", "."] }), { host: "www.example.com" });
  t.match(of({ rawHeaders: ["Host", "a.:443"], scheme: "https" }), { host: "a" });
  t.match(of({ rawHeaders: ["Host", "a.:443"] }), { host: "a:443" });
  t.match(of({ target: "http://b.example/a?x=1" }), { host: "b.example", uri: "/a?x=1" });
  t.match(of({ target: "/a?b#c", args: "b" }), { uri: "/a?b" }, "no fragment");
  t.match(of({ args: "" }), { uri: "/a/b" });
  t.match(of({ args: "q=é \n" }), { uri: "/a/b?q=%C3%A9%20%0A" });
});
