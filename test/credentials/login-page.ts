import t from "tap";
import { accountPage, loginPage, lostPage } from "../../src/credentials/login-page.ts";

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
