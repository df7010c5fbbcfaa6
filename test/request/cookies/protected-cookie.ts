import t, { type Test } from "tap";
import { CookieKeys } from "../../../src/request/cookies/cookie-keys.ts";
import {
  encryptedCookie,
  type ProtectedCookie,
  signedCookie,
} from "../../../src/request/cookies/protected-cookie.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { serve, type TestServer } from "../../fixtures/exchange-server.ts";

const keys = new CookieKeys(["k".repeat(32)]);
let now = 1_000_000;
const clock = { now: () => now };

type Cart = { items: string[] };
const kinds = { signed: signedCookie, encrypted: encryptedCookie };

async function asked(
  t: Test,
  handler: (req: ApacheRequest) => unknown,
): Promise<(cookie?: string) => ReturnType<TestServer["ask"]>> {
  const server = await serve(t, handler);
  return (cookie = "") =>
    server.ask(`GET /
Cookie: ${cookie}`);
}

/** `name=value` of what a handler sets. */
async function written(t: Test, set: (req: ApacheRequest) => void): Promise<string> {
  const ask = await asked(t, set);
  return (await ask()).headers["set-cookie"]?.split(";")[0] ?? "";
}

for (const [kind, make] of Object.entries(kinds)) {
  t.test(`${kind}: there and back`, async (t) => {
    const cart = make<Cart>("cart", keys, { ...clock, maxAge: 60, httpOnly: true });
    const ask = await asked(t, (req) => {
      req.write(JSON.stringify([cart.status(req), cart.get(req)]));
      cart.set(req, { items: ["ä"] });
    });
    const first = await ask();
    t.match(first.headers["set-cookie"], /^cart=[\w.-]+; Max-Age=60; Path=\/; HttpOnly$/);
    t.equal(first.body, '["absent",null]');
    const pair = first.headers["set-cookie"]?.split(";")[0] ?? "";
    t.equal((await ask(pair)).body, '["valid",{"items":["ä"]}]');

    const planted = `cart=planted; ${pair}`;
    t.match((await ask(planted)).body, /valid/, "one that a neighbour planted hides it not");
    const flood = `${"cart=x; ".repeat(100)}${pair}`;
    t.match((await ask(flood)).body, /tampered/, "not all of a flood are looked at");

    now += 59_000;
    t.match((await ask(pair)).body, /valid/);
    now += 1000;
    t.equal((await ask(pair)).body, '["expired",null]');
  });

  t.test(`${kind}: what is not ours is as good as absent, and can be told`, async (t) => {
    const cart: ProtectedCookie<Cart> = make("cart", keys, clock);
    const other: ProtectedCookie<Cart> = make("other", keys, clock);
    const moved = (await written(t, (req) => other.set(req, { items: [] }))).replace(
      "other=",
      "cart=",
    );
    const strange = make("cart", new CookieKeys(["s".repeat(32)]), clock);
    const ask = await asked(t, (req) => req.write(`${cart.status(req)} ${cart.get(req)}`));
    for (const value of [
      moved,
      await written(t, (req) => strange.set(req, 1)),
      "cart=",
      "cart=1",
    ]) {
      t.equal((await ask(value)).body, "tampered undefined", value);
    }
  });
}

t.test("values that are none, and cookies that browsers would drop", async (t) => {
  const cart = encryptedCookie<unknown>("__Host-cart", keys, { secure: true });
  const large = signedCookie<string>("large", keys);
  const loose = signedCookie<string>("__Host-loose", keys);
  const ask = await asked(t, (req) => {
    const code = { code: "MODTS_BAD_COOKIE" };
    t.throws(() => cart.set(req, undefined), code);
    t.throws(() => large.set(req, "x".repeat(4000)), code);
    t.throws(() => loose.set(req, "x"), code);
    cart.set(req, null);
    cart.clear(req);
  });
  const cookie = (await ask()).headers["set-cookie"];
  t.match(cookie, /^__Host-cart=; Max-Age=0; Path=\/; .*Secure/, "the last one counts");
});
