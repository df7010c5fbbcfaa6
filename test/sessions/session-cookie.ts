import t from "tap";
import { isSessionId, newSessionId, storeKey } from "../../src/sessions/session-cookie.ts";

t.test("ids are 256 random bits", async (t) => {
  const ids = Array.from({ length: 1000 }, newSessionId);
  t.equal(new Set(ids).size, 1000);
  t.ok(ids.every(isSessionId));
  t.ok(ids.every((id) => Buffer.from(id, "base64url").length === 32));
});

t.test("what cannot be one of ours", async (t) => {
  const id = newSessionId();
  for (const text of [
    "",
    id.slice(1),
    `${id}A`,
    `${id.slice(0, 42)}B`,
    `${id} `,
    `${id}\n`,
    id.replace(/./, "+"),
    id.replace(/./, "/"),
    id.replace(/./, "é"),
    "../../../../../../../../../../../etc/passwdd",
    "' OR ''='" + "A".repeat(34),
    "#sweep".padEnd(43, "A"),
    "0123456789abcdef0123456789abcdef",
    "A".repeat(100_000),
  ]) {
    t.notOk(isSessionId(text), text.slice(0, 60));
  }
});

t.test("the store knows a hash of it, another one in each realm", async (t) => {
  const id = newSessionId();
  const key = storeKey(id, "www.example.com\ntssid");
  t.match(key, /^[\w-]{43}$/);
  t.not(key, id);
  t.not(key, storeKey(id, "www.example.com\nother"));
  t.equal(key, storeKey(id, "www.example.com\ntssid"));
});
