import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { SignJWT } from "jose";
import t from "tap";
import {
  publicAlgorithms,
  TokenRefused,
  TokenVerifier,
} from "../../../../src/handlers/auth/credentials/token-verifier.ts";
import { shortFolder } from "../../../fixtures/short-folder.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const folder = shortFolder(t, {
  "key.pem": publicKey.export({ type: "spki", format: "pem" }) as string,
});
const rules = { algorithms: publicAlgorithms, tolerance: 0, timeout: 1000, cache: 60 };
const verifier = new TokenVerifier({ key: join(folder, "key.pem") }, rules);

const sign = (expires: string): Promise<string> =>
  new SignJWT({ sub: "ann" })
    .setProtectedHeader({ alg: "EdDSA" })
    .setExpirationTime(expires)
    .sign(privateKey);

t.test("gives the claims of a valid token, again and again", async (t) => {
  const token = await sign("1h");
  for (let count = 0; count < 3; count += 1) t.match(await verifier.verify(token), { sub: "ann" });
});

t.test("refuses with the reason", async (t) => {
  await t.rejects(verifier.verify(await sign("-1s")), { name: "TokenRefused", message: /exp/ });
  await t.rejects(verifier.verify("x"), TokenRefused);
  await t.rejects(verifier.verify("x".repeat(20_000)), { message: "token is too long" });
});

t.test("says who is at fault when it is not the token", async (t) => {
  const token = await sign("1h");
  const missing = new TokenVerifier({ key: join(folder, "none.pem") }, rules);
  await t.rejects(missing.verify(token), { code: "MODTS_USERS_UNREADABLE", status: 500 });
  const down = new TokenVerifier({ jwks: new URL("http://127.0.0.1:1/keys") }, rules);
  await t.rejects(down.verify(token), { code: "MODTS_AUTH_SERVICE_DOWN", status: 503 });
});
