import t from "tap";
import { cookieName, cookieValues, formatCookie } from "../../src/credentials/cookie.ts";

t.test("finds values by their whole name", async (t) => {
  t.strictSame(cookieValues(undefined, "a"), []);
  t.strictSame(cookieValues("b=1; a=2;a=3 ; aa=4; __Host-a=5; A=6; a", "a"), ["2", "3"]);
  t.strictSame(cookieValues("a=x=y", "a"), ["x=y"]);
  t.equal(cookieValues("a=1;".repeat(1000), "a").length, 4);
});

t.test("sets and removes", async (t) => {
  t.equal(formatCookie("a", "1", false), "a=1; Path=/; HttpOnly; SameSite=Lax");
  t.equal(formatCookie("a", "1", true), "__Host-a=1; Path=/; HttpOnly; SameSite=Lax; Secure");
  t.equal(formatCookie("a", "", false), "a=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
  t.equal(cookieName("a", true), "__Host-a");
});
