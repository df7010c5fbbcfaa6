import t from "tap";
import { formatAddress, translationOf } from "../../src/engine/translation.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const exchange = {} as ConstructorParameters<typeof ApacheRequest>[1];
const newRequest = (changes: Partial<ApacheRequest> = {}): ApacheRequest => {
  const context = contextOf({ contextPrefix: "/alias", contextDocumentRoot: "/srv/alias" });
  return Object.assign(new ApacheRequest(context, exchange), changes);
};

t.test("a request that stays where it is", (t) => {
  t.equal(translationOf(newRequest()), undefined);
  t.end();
});

t.test("another path, query or file", (t) => {
  t.strictSame(translationOf(newRequest({ uri: "/b" })), { path: "/b", args: "x=1" });
  t.strictSame(translationOf(newRequest({ args: null })), { path: "/a/b", args: null });
  const paths = { "/srv/htdocs/x/y": "/x/y", "/srv/alias/z": "/alias/z" };
  for (const [filename, path] of Object.entries(paths)) {
    t.equal(translationOf(newRequest({ filename }))?.path, path);
  }
  t.end();
});

t.test("what is no local path is an error", (t) => {
  for (const uri of [
    "",
    "a",
    "//b",
    "/a//b",
    "/../a",
    "/a/..",
    "/a/./b",
    "/a\r\nb",
    "/a\0",
    "http://h/",
  ]) {
    t.throws(() => translationOf(newRequest({ uri })), { code: "MODTS_BAD_TRANSLATION" }, uri);
  }
  for (const args of ["a b", "a#b", "ü", "a\nb"]) {
    t.throws(() => translationOf(newRequest({ args })), { code: "MODTS_BAD_TRANSLATION" }, args);
  }
  for (const filename of ["/etc/passwd", "/srv/htdocs/../x", "/srv/htdocs-old/x"]) {
    t.throws(() => translationOf(newRequest({ filename })), { code: "MODTS_BAD_TRANSLATION" });
  }
  t.end();
});

t.test("an address holds the bytes of its path, escaped", (t) => {
  t.equal(formatAddress(Buffer.from("/a b/ü%2e?#"), null), "/a%20b/%C3%BC%252e%3F%23");
  t.equal(formatAddress(Buffer.from([0x2f, 0xff]), "x=%20"), "/%FF?x=%20");
  t.end();
});
