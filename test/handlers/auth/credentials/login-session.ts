/** Sessions of the login form, and form tokens. */
import t from "tap";
import {
  FormTokens,
  LoginSessions,
} from "../../../../src/handlers/auth/credentials/login-session.ts";

const master = "m".repeat(32);
const life = { idle: 100, total: 250 };

t.test("comes back as it was, for its time", async (t) => {
  let now = 0;
  const sessions = new LoginSessions(master, "a", { life, now: () => now });
  const session = sessions.begin('jörg; x=1,"', "hash");
  const cookie = sessions.format(session);
  t.match(cookie, /^[\w-]+\.[\w-]+$/, "no character that a cookie would mind");
  t.strictSame(sessions.read(cookie), session);
  now = 99_999;
  t.ok(sessions.read(cookie));
  now = 100_000;
  t.equal(sessions.read(cookie), undefined);
});

t.test("is renewed with use, not with every one, and not for ever", async (t) => {
  let now = 0;
  const sessions = new LoginSessions(master, "a", { life, now: () => now });
  const first = sessions.begin("john", "hash");
  now = 10_000;
  t.equal(sessions.renew(first), undefined);
  now = 50_000;
  const second = sessions.renew(first);
  t.match(second, { user: "john", id: first.id, issued: 0, expires: 150, mark: first.mark });
  now = 149_000;
  const third = second && sessions.renew(second);
  t.match(third, { expires: 249 });
  now = 248_000;
  t.equal(third && sessions.renew(third), undefined, "one second more is not worth a cookie");
  now = 250_000;
  t.equal(sessions.read(sessions.format({ ...first, expires: 1000 })), undefined);
  t.equal(sessions.lastMoment(first), 250);
});

t.test("is good for one key, one realm, one password hash", async (t) => {
  const sessions = new LoginSessions(master, "a", { life });
  const session = sessions.begin("john", "hash");
  const cookie = sessions.format(session);
  t.equal(new LoginSessions(`${master}x`, "a", { life }).read(cookie), undefined);
  t.equal(new LoginSessions(master, "b", { life }).read(cookie), undefined);
  t.ok(new LoginSessions(master, "a", { life }).read(cookie));
  t.ok(sessions.fits(session, "hash"));
  t.notOk(sessions.fits(session, "hash2"));
  t.notMatch(Buffer.from(cookie, "base64url").toString(), "hash");
});

t.test("each has an id of its own", async (t) => {
  const sessions = new LoginSessions(master, "a", { life });
  t.not(sessions.begin("john", "hash").id, sessions.begin("john", "hash").id);
});

t.test("for this browser, this page, and not for ever", async (t) => {
  let now = 0;
  const tokens = new FormTokens("m".repeat(32), "a", () => now);
  const token = tokens.make("id");
  t.ok(tokens.isGood(token, "id"));
  t.notOk(tokens.isGood(token, "other"));
  t.notOk(tokens.isGood("", "id"));
  t.notOk(tokens.isGood(`${token}x`, "id"));
  t.notOk(new FormTokens("m".repeat(32), "b").isGood(token, "id"));
  now = 12 * 3600 * 1000 - 1;
  t.ok(tokens.isGood(token, "id"));
  now += 1;
  t.notOk(tokens.isGood(token, "id"));
});
