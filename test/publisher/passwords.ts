/** Passwords in a published module. */
import t from "tap";
import { hashPassword } from "../../src/credentials/password-hash.ts";
import { isListedPassword } from "../../src/publisher/passwords.ts";

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
      message: /^auth of ann: the (?:scheme of the password is not known|password is no text)$/,
    });
  }
  await t.rejects(isListedPassword({ ann: 1 }, "stranger", "x"), { message: /^auth of ann: / });
  t.ok(await isListedPassword({ ann: "$ecret" }, "ann", "$ecret"), "a dollar is no scheme");
});
