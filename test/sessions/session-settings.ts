import t from "tap";
import type { SessionOptions } from "../../src/request/session.ts";
import { readSessionSettings, withSessionOptions } from "../../src/sessions/session-settings.ts";

const read = (values: Record<string, string> = {}) => {
  const options = Object.entries(values).map(([key, value]) => [`mod_ts.session.${key}`, value]);
  return readSessionSettings(Object.fromEntries(options));
};

t.test("defaults", async (t) => {
  t.strictSame(read(), {
    lock: "exclusive",
    timeout: 1800,
    maxLifetime: 0,
    lockTimeout: 10,
    maxBytes: 65_536,
    name: "tssid",
    path: "/",
    domain: undefined,
    secure: undefined,
    sameSite: "lax",
    realm: undefined,
  });
});

t.test("what the configuration says", async (t) => {
  const values = {
    timeout: "60",
    max_lifetime: "3600",
    lock_timeout: "0",
    max_bytes: "64",
    name: "id",
    path: "/app",
    domain: "example.com",
    secure: "on",
    same_site: "strict",
    realm: "shop",
  };
  t.strictSame(read(values), {
    lock: "exclusive",
    timeout: 60,
    maxLifetime: 3600,
    lockTimeout: 0,
    maxBytes: 64,
    name: "id",
    path: "/app",
    domain: "example.com",
    secure: true,
    sameSite: "strict",
    realm: "shop",
  });
  t.equal(read({ secure: "off" }).secure, false);
});

t.test("mistakes of the configuration", async (t) => {
  const bad = {
    timeout: "0",
    max_lifetime: "-1",
    lock_timeout: "x",
    max_bytes: "1",
    secure: "yes",
    same_site: "None",
    cookie: "x",
  };
  for (const [key, value] of Object.entries(bad)) {
    const message = new RegExp(`invalid option mod_ts.session.${key}: `);
    t.throws(() => read({ [key]: value }), { code: "MODTS_BAD_OPTION", message }, key);
  }
});

t.test("a call has the last word", async (t) => {
  const options: SessionOptions = { lock: false, timeout: 5, name: "x", secure: true };
  t.match(withSessionOptions(read(), options), options);
  t.match(withSessionOptions(read({ name: "id" }), {}), { name: "id" });
  t.match(withSessionOptions(read(), { path: undefined } as never), { path: "/" });
});

t.test("mistakes of a call", async (t) => {
  const bad: Record<string, unknown>[] = [
    { lock: true },
    { lock: "none" },
    { timeout: 0 },
    { timeout: "5" },
    { lockTimeout: NaN },
    { maxLifetime: -1 },
    { name: "" },
    { path: 5 },
    { domain: null },
    { secure: "auto" },
    { sameSite: "None" },
    { store: "memory" },
    { toString: 1 },
  ];
  for (const options of bad) {
    const [name = ""] = Object.keys(options);
    t.throws(() => withSessionOptions(read(), options as never), {
      code: "MODTS_BAD_ARGUMENT",
      message: new RegExp(`req.session: .*${name}`),
    });
  }
});
