/** Guards that say yes, no, and something else; test/apache/publisher-guards.ts has them all. */
import t from "tap";
import { checkGuards, isListedPassword } from "../../../src/handlers/publisher/guard.ts";
import { HeaderTable } from "../../../src/request/headers.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { hashPassword } from "../../../src/base/password-hash.ts";

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** Who the request is from after the guards, or the status they end it with. */
async function ask(
  guards: object[],
  authorization?: string,
  known: string | null = null,
): Promise<unknown> {
  const headersIn = new HeaderTable(authorization === undefined ? {} : { authorization });
  const req = { headersIn, user: known, authType: null } as unknown as ApacheRequest;
  try {
    await checkGuards(req, guards);
    return req.user;
  } catch (error) {
    return (error as { outcome?: number }).outcome ?? (error as Error).message;
  }
}

t.test("whom a guard lets pass is the user from then on", async (t) => {
  const auth = (_: unknown, user: string, password: string): boolean => user === password;
  t.equal(await ask([{ auth }], basic("ann", "ann")), "ann");
  t.equal(await ask([{ auth }], basic("ann", "bob")), 401);
  t.equal(await ask([{ auth }, { access: ["ann"] }], basic("ann", "ann")), "ann");
  t.equal(await ask([{ auth }, { access: ["bob"] }], basic("ann", "ann")), 403);
  t.equal(await ask([{ access: ["ann"] }, { auth }], basic("ann", "ann")), 403, "in their order");
  t.equal(
    await ask(
      [{ auth, access: (_: unknown, user: unknown) => user === "ann" }],
      basic("ann", "ann"),
    ),
    "ann",
  );
});

t.test("whom Apache knows is not replaced", async (t) => {
  t.equal(await ask([{ auth: () => true }], basic("bob", "x"), "ann"), 401);
  t.equal(await ask([{ auth: () => true }], basic("ann", "x"), "ann"), "ann");
  t.equal(await ask([{ access: ["ann"] }], undefined, "ann"), "ann");
});

t.test("anything but true refuses", async (t) => {
  for (const value of [undefined, null, 1, "yes", {}, [], Symbol("s")]) {
    t.equal(await ask([{ auth: value }], basic("a", "b")), 401);
    t.equal(await ask([{ auth: () => value }], basic("a", "b")), 401);
    t.equal(await ask([{ access: value }], basic("a", "b"), "a"), 403);
    t.equal(await ask([{ access: () => value }], basic("a", "b"), "a"), 403);
  }
  t.equal(await ask([{ auth: ["ann"] }], basic("0", "ann")), 401);
  const fail = (): never => {
    throw new Error("oh");
  };
  t.equal(await ask([{ auth: fail }], basic("a", "b")), "oh");
  t.equal(await ask([{ access: fail }]), "oh");
});

t.test("the realm is that of the innermost so far, and safe in a header", async (t) => {
  const challenge = async (...guards: object[]): Promise<unknown> => {
    const req = { headersIn: new HeaderTable(), user: null } as unknown as ApacheRequest;
    const error = await checkGuards(req, guards).catch((reason: unknown) => reason);
    return (error as { headers: Record<string, string> }).headers["WWW-Authenticate"];
  };
  const no = { auth: false };
  t.match(await challenge(no), 'Basic realm="unknown"');
  t.match(await challenge({ realm: "Outer" }, no), 'Basic realm="Outer"');
  t.match(await challenge({ realm: "Outer" }, { ...no, realm: "Inner" }), 'Basic realm="Inner"');
  t.match(await challenge({ ...no, realm: 'a"b\\c\r\nd' }), 'Basic realm="a\\"b\\\\c??d"');
});

t.test("plain or hashed", async (t) => {
  const hash = await hashPassword("secret");
  const list = { ann: "secret", hashed: hash, sha: "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" };
  for (const [user, password, expected] of [
    ["ann", "secret", true],
    ["ann", "Secret", false],
    ["ann", "", false],
    ["hashed", "secret", true],
    ["hashed", hash, false],
    ["sha", "secret", true],
    ["nobody", "secret", false],
    ["__proto__", "secret", false],
    ["toString", "secret", false],
  ] as const) {
    t.equal(await isListedPassword(list, user, password), expected, `${user} ${password}`);
  }
  t.equal(await isListedPassword({}, "ann", ""), false);
});

t.test("what cannot be compared is an error that shows no password", async (t) => {
  for (const stored of [
    "",
    1,
    null,
    undefined,
    ["secret"],
    "$6$salt$hash",
    "{SSHA}abc",
    "$2y$short",
  ]) {
    await t.rejects(isListedPassword({ ann: stored }, "ann", "secret"), {
      code: "MODTS_BAD_PASSWORD_LIST",
      message:
        /^invalid password entry of ann: the (?:scheme of the password is not known|password is no text)$/,
    });
  }
  await t.rejects(isListedPassword({ ann: 1 }, "stranger", "x"), {
    message: /^invalid password entry of ann: /,
  });
  t.ok(await isListedPassword({ ann: "$ecret" }, "ann", "$ecret"), "a dollar is no scheme");
});
