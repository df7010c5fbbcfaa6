import t from "tap";
import { formatUrl, hostnameOf, parseUri } from "../../src/request/uri.ts";

const nothing = {
  scheme: null,
  hostinfo: null,
  user: null,
  password: null,
  hostname: null,
  port: null,
  path: null,
  query: null,
  fragment: null,
};

t.test("parseUri", async (t) => {
  t.strictSame(parseUri("/a%2Fb?x=1#y"), {
    ...nothing,
    path: "/a%2Fb",
    query: "x=1",
    fragment: "y",
  });
  t.strictSame(parseUri("//evil.example/x?"), { ...nothing, path: "//evil.example/x", query: "" });
  t.strictSame(parseUri("https://u:p@host:81/a?b"), {
    ...nothing,
    scheme: "https",
    hostinfo: "u:p@host:81",
    user: "u",
    password: "p",
    hostname: "host",
    port: 81,
    path: "/a",
    query: "b",
  });
  t.match(parseUri("http://[::1]:8080"), { hostname: "[::1]", port: 8080, path: null });
  t.match(parseUri("http://u@h:/"), { user: "u", password: null, hostname: "h", port: null });
  t.match(parseUri("*"), { path: "*" });
  t.strictSame(parseUri(""), nothing);
  t.match(parseUri("http://a@b@c/"), { hostinfo: "a@b@c", hostname: null, path: "/" });
});

function url(scheme: string, serverName: string, serverPort: number): string {
  return formatUrl({ scheme, serverName, serverPort }, "/x");
}

t.test("formatUrl", async (t) => {
  t.equal(url("http", "a.example", 80), "http://a.example/x");
  t.equal(url("http", "a.example", 443), "http://a.example:443/x");
  t.equal(url("https", "a.example", 443), "https://a.example/x");
  t.equal(url("https", "a.example", 0), "https://a.example/x");
  t.equal(url("http", "::1", 8080), "http://[::1]:8080/x");
  t.equal(url("http", "[::1]", 8080), "http://[::1]:8080/x");
});

t.test("hostnameOf", async (t) => {
  t.equal(hostnameOf("/", "WWW.Example.com:8080"), "www.example.com");
  t.equal(hostnameOf("/", "WWW.Example.com.:8080"), "www.example.com");
  t.equal(hostnameOf("/", "[::1]:80"), "[::1]");
  t.equal(hostnameOf("/", undefined), null);
  t.equal(hostnameOf("/", ""), null);
  t.equal(hostnameOf("http://Other.example/", "www.example.com"), "other.example");
  t.equal(hostnameOf("*", "h.example"), "h.example");
  t.equal(hostnameOf("/", "a:b:c"), null);
});
