/** The door to the stores: what is not a right password in good form is a 401, what the store cannot say is its error. */
import t from "tap";
import { createBasicAuthen } from "../../../src/handlers/auth/basic.ts";
import type { UserStore } from "../../../src/handlers/auth/credentials/verifier.ts";
import { Verifier } from "../../../src/handlers/auth/credentials/verifier.ts";
import { PasswordGuard } from "../../../src/handlers/auth/credentials/password-guard.ts";
import { ModTsError } from "../../../src/base/errors.ts";
import { startEngine } from "../../fixtures/gateway.ts";

const store: UserStore = {
  name: "test",
  find: async (user) => {
    if (user === "down")
      throw new ModTsError("MODTS_DATABASE_DOWN", { database: "x", reason: "y" });
    return user === "jörg" ? "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" : undefined;
  },
  decoys: () => ["{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="],
  accepts: () => true,
  close: async () => {},
};
const guard = new PasswordGuard(new Verifier(store, 60), undefined);
const peer = await startEngine(t, {
  basic: {
    authenHandler: createBasicAuthen(() => guard),
    handler: (req: { user: string; write(text: string): void }) =>
      void req.write(`in: ${req.user}`),
  },
});

async function ask(authorization: string): Promise<{ status: number; body: string }> {
  const headers = authorization ? { authorization } : undefined;
  return peer.ask(["authen basic", "handler basic"], headers && { headers });
}
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

t.test("passes for the right password alone", async (t) => {
  t.match(await ask(basic("jörg:secret")), { status: 200, body: "in: jörg" });
  for (const header of [
    "",
    "Basic",
    "Basic ====",
    "Bearer x",
    basic("jörg"),
    basic("jörg:"),
    basic(":secret"),
    basic("jörg:wrong"),
    basic("nobody:secret"),
    basic("jörg:secret\0"),
    basic("jörg\n:secret"),
  ]) {
    const reply = await ask(header);
    t.equal(reply.status, 401, JSON.stringify(header));
    t.notMatch(reply.body, "in:");
  }
});

t.test("a store that cannot say", async (t) => {
  t.match(await ask(basic("down:secret")), { status: 503 });
  t.match(peer.log(), /MODTS_DATABASE_DOWN/);
});
