import t, { type Test } from "tap";
import { HeaderTable } from "../../../src/request/headers.ts";
import {
  addSetCookie,
  type CookieAttributes,
  formatSetCookie,
  wantsSecure,
} from "../../../src/request/cookies/set-cookie.ts";

const format = (attributes: CookieAttributes, name = "a", value = "1"): string =>
  formatSetCookie(name, value, attributes);
const refuses = (
  t: Test,
  [attributes, name, value]: [object, string?, string?],
  reason: RegExp,
): void => {
  const message = new RegExp(`^invalid cookie [^]*: .*${reason.source}`);
  t.throws(() => format(attributes, name, value), { code: "MODTS_BAD_COOKIE", message });
};

t.test("attributes", async (t) => {
  t.equal(format({}), "a=1; Path=/");
  t.equal(format({ path: undefined } as never), "a=1; Path=/");
  const all: CookieAttributes = {
    path: "/app",
    domain: "example.com",
    maxAge: 60,
    expires: new Date(0),
    secure: true,
    httpOnly: true,
    sameSite: "none",
    partitioned: true,
    priority: "high",
  };
  t.equal(
    format(all),
    "a=1; Max-Age=60; Domain=example.com; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None",
  );
  t.equal(format({ secure: false, httpOnly: false, sameSite: "lax" }), "a=1; Path=/; SameSite=Lax");
});

t.test("values are escaped, so that they come back as they were", async (t) => {
  t.equal(format({}, "a", 'x; y="€"\r\n%'), "a=x%3B%20y%3D%22%E2%82%AC%22%0D%0A%25; Path=/");
  t.equal(format({}, "a", "eyJh.b-c_d=~"), "a=eyJh.b-c_d=~; Path=/");
});

t.test("nothing begins an attribute or a header", async (t) => {
  for (const name of ["", "a b", "a;b", "a=b", "a\r\nb", "ä", "a,b", 'a"b', "a\0", "a(b)"]) {
    refuses(t, [{}, name], /a name has/);
  }
  for (const path of ["/a;Domain=evil.example", "/a\r\nX: y", "/ä", "/\0"]) {
    refuses(t, [{ path }], /path/);
  }
  for (const domain of ["a.com; Secure", "a.com\r\nX: y", "a b", "a..b", "ä.com"]) {
    refuses(t, [{ domain }], /domain/);
  }
  refuses(t, [{ sameSite: "lax; Secure" }], /sameSite/);
  refuses(t, [{ priority: "x" }], /priority/);
});

t.test("what browsers would drop or change", async (t) => {
  refuses(t, [{ httponly: true }], /there is no attribute httponly/);
  refuses(t, [{ path: "app" }], /must begin with \//);
  refuses(t, [{ maxAge: 1.5 }], /maxAge/);
  refuses(t, [{ maxAge: Infinity }], /maxAge/);
  refuses(t, [{ expires: new Date(NaN) }], /expires/);
  refuses(t, [{ sameSite: "none" }], /wants secure: true/);
  refuses(t, [{ sameSite: "None" }], /wants secure: true/);
  refuses(t, [{ partitioned: true }], /wants secure: true/);
  refuses(t, [{}, "a", "x".repeat(4096)], /4097 bytes; browsers drop/);
  refuses(t, [{}, "a", 7 as never], /must be a string/);
  refuses(t, [{}, "a", "\ud800"], /URI/);
  t.equal(format({}, "a", "x".repeat(4095)).length, 4096 + "=; Path=/".length);
});

t.test("prefixes are promises", async (t) => {
  const secure = true;
  const httpOnly = true;
  t.match(format({ secure }, "__Host-a"), /^__Host-a=1; Path=\/; Secure$/);
  t.match(format({ secure, domain: "a.com", path: "/x" }, "__Secure-a"), /Secure/);
  t.match(format({ secure, httpOnly }, "__Host-Http-a"), /HttpOnly/);
  refuses(t, [{}, "__Secure-a"], /secure: true/);
  refuses(t, [{}, "__host-a"], /secure: true/);
  refuses(t, [{ secure, path: "/x" }, "__Host-a"], /path: "\/"/);
  refuses(t, [{ secure, domain: "a.com" }, "__HOST-a"], /no domain/);
  refuses(t, [{ secure }, "__Http-a"], /httpOnly: true/);
  refuses(t, [{ secure }, "__Host-Http-a"], /httpOnly: true/);
  t.strictSame(["__Host-a", "__secure-a", "__Http-a", "__Hosta", "a__Host-"].map(wantsSecure), [
    true,
    true,
    true,
    false,
    false,
  ]);
});

t.test(
  "the same cookie twice is one header; another path or domain is another cookie",
  async (t) => {
    const table = new HeaderTable();
    const add = (value: string, attributes: CookieAttributes = {}): void =>
      addSetCookie(table, format(attributes, "a", value));
    add("1");
    addSetCookie(table, format({}, "b"));
    add("2", { path: "/x" });
    add("3", { domain: "a.com" });
    add("4", { maxAge: 9 });
    add("5", { domain: ".A.com" });
    t.strictSame(table.getAll("set-cookie"), [
      "b=1; Path=/",
      "a=2; Path=/x",
      "a=4; Max-Age=9; Path=/",
      "a=5; Domain=.A.com; Path=/",
    ]);
  },
);
