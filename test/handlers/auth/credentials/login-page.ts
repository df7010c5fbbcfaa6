/** The pages of the login form, and the path to return to. */
import t from "tap";
import {
  accountPage,
  loginPage,
  lostPage,
  safeReturnPath,
} from "../../../../src/handlers/auth/credentials/login-page.ts";

t.test("paths of this host", async (t) => {
  for (const path of [
    "/",
    "/a",
    "/a/b?x=1&y=//z#f",
    "/a%2F%2Fb",
    "/a//b",
    "/..",
    "/@evil.example",
    "/a:80",
    "/~x/'()*",
  ]) {
    t.equal(safeReturnPath(path), path);
  }
});

t.test("everything else", async (t) => {
  for (const path of [
    undefined,
    "",
    "a",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/a\\b",
    "/.//evil.example",
    "/..//evil.example",
    "/%2e//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "/ a",
    "/ä",
    "/\u2028",
    "/\x7f",
    "/a\r\nSet-Cookie: x",
    "https://evil.example/",
    "https:/evil.example",
    "javascript:alert(1)",
    "?x",
    "#x",
    `/${"a".repeat(2000)}`,
  ]) {
    t.equal(safeReturnPath(path), undefined, encodeURIComponent(String(path)));
  }
});

t.test("a browser stays on the host with whatever is safe", async (t) => {
  // Every path of up to five characters of those that mean something in an address.
  const characters = ["/", "\\", ".", ":", "@", "?", "#", "%2e", "\t", "a"];
  let paths = [""];
  let safe = 0;
  for (let length = 1; length <= 5; length += 1) {
    paths = paths.flatMap((path) => characters.map((character) => path + character));
    for (const path of paths) {
      if (safeReturnPath(path) === undefined) continue;
      safe += 1;
      const { origin } = new URL(path, "https://here.example/login");
      if (origin !== "https://here.example") t.fail(path);
    }
  }
  t.ok(safe > 1000, `${safe} of them are safe`);
});

const nasty = `"><script>alert(1)</script>'`;
const page = { title: nasty, action: `/login?${nasty}`, token: nasty, returnPath: `/${nasty}` };

t.test("nothing that came from outside is markup", async (t) => {
  for (const html of [
    loginPage(page, nasty, nasty),
    accountPage(page, nasty),
    lostPage(nasty, nasty),
  ]) {
    t.notMatch(html, "<script");
    t.notMatch(html, `"${nasty}`);
  }
});

t.test("fields have labels, and browsers know what they are", async (t) => {
  const html = loginPage({ title: "x", action: "/login", token: "t", returnPath: undefined });
  for (const name of ["user", "password"]) {
    t.match(html, `<label for="${name}">`);
    t.match(html, new RegExp(`<input id="${name}" name="${name}"[^>]* required`));
  }
  t.match(html, 'autocomplete="username"');
  t.match(html, 'type="password" autocomplete="current-password"');
  t.match(html, 'method="post"', "a password never gets into an address");
  t.notMatch(html, 'role="alert"');
  t.notMatch(html, 'name="return"');
});

t.test("the cursor is where something is to be typed", async (t) => {
  const plain = { title: "x", action: "/login", token: "t", returnPath: undefined };
  t.match(loginPage(plain), /id="user"[^>]* autofocus>/);
  t.match(loginPage(plain, "wrong", "john"), /id="password"[^>]* autofocus>/);
});
