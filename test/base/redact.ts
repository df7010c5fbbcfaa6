import t from "tap";
import { hideInLog, redact } from "../../src/base/redact.ts";

t.test("headers that prove an identity are hidden, with their names", async (t) => {
  t.equal(redact("Authorization: Basic YW5uOnNlY3JldA=="), "Authorization: ***");
  t.equal(redact("sent Cookie: sid=abc; theme=dark"), "sent Cookie: ***");
  t.equal(redact(`{ cookie: 'sid=abc', host: 'a' }`), "{ cookie: ***, host: 'a' }");
  t.equal(redact(`{"authorization":"Bearer abcdefgh","a":1}`), `{"authorization":***,"a":1}`);
  t.equal(redact("got Bearer eyJhbGciOi.abc.def from it"), "got Bearer *** from it");
});

t.test("passwords are hidden in addresses, queries and objects", async (t) => {
  t.equal(redact("mysql://ann:pa55@db/site is down"), "mysql://ann:***@db/site is down");
  t.equal(redact("redis://:pa55@db"), "redis://:***@db");
  t.equal(redact("host=db password=pa55 user=ann"), "host=db password=*** user=ann");
  t.equal(redact("/login?token=abc&next=/"), "/login?token=***&next=/");
  t.equal(redact(`{ user: 'ann', password: 'x y' }`), "{ user: 'ann', password: *** }");
  t.equal(
    redact(`403 for /pool/password: "password" is below`),
    `403 for /pool/password: "password" is below`,
    "a path",
  );
});

t.test("values of the configuration's secrets are hidden wherever they stand", async (t) => {
  hideInLog(["correct horse", "ab", ""]);
  t.equal(redact("dsn with correct horse in it; ab stays"), "dsn with *** in it; ab stays");
});

t.test("ordinary messages stay as they are", async (t) => {
  for (const text of [
    "invalid cookie sid: reason",
    "token refused: exp claim timestamp check failed",
    'AH01617: user ann: authentication failure for "/": Password Mismatch',
    "request rejected: its seal was not made with this sidecar's secret; run mod-ts conf again",
    "listening on requires a shared secret; set secret or secretFile in the configuration",
    "authentication service http://127.0.0.1:9091/api/verify is unavailable: connect ECONNREFUSED",
    'WWW-Authenticate: Basic realm="Restricted area"',
    "its cookies are larger than Apache passes to a guard (16368 bytes)",
  ]) {
    t.equal(redact(text), text);
  }
});
