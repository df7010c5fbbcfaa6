/** Limits and log lines of password checks, behind the real engine. */
import Module from "node:module";
import t, { type Test } from "tap";
import { refusalChannel, type RefusalRecord } from "../../../../src/base/channels.ts";
import { dummyHash } from "../../../../src/base/password-hash.ts";
import { createBasicAuthen } from "../../../../src/handlers/auth/basic.ts";
import { LocalLimits } from "../../../../src/handlers/auth/credentials/attempt-limits.ts";
import { PasswordGuard } from "../../../../src/handlers/auth/credentials/password-guard.ts";
import { type UserStore, Verifier } from "../../../../src/handlers/auth/credentials/verifier.ts";
import { type GatewayReply, startEngine } from "../../../fixtures/gateway.ts";

const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const store: UserStore = {
  name: "test",
  find: async (user) => (/^(?:john|ann)$/.test(user) ? sha : undefined),
  decoys: () => [sha],
  accepts: () => true,
  close: async () => {},
};

async function start(t: Test, attempts: number, cacheSeconds = 0) {
  const guard = new PasswordGuard(
    new Verifier(store, cacheSeconds),
    attempts === 0 ? undefined : new LocalLimits(attempts),
  );
  const handlers = { authenHandler: createBasicAuthen(() => guard), handler: () => 0 };
  const engine = await startEngine(t, { guard: handlers });
  const ask = (user: string, password: string, remoteAddress = "192.0.2.7") => {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const more = { headers: { authorization }, context: { remoteAddress } };
    return engine.ask(["authen guard", "handler guard"], more);
  };
  const status = async (...args: Parameters<typeof ask>): Promise<number> =>
    (await ask(...args)).status;
  return { ask, status, log: () => engine.log() };
}

t.test("by user, whatever the address; right passwords cost nothing", async (t) => {
  const { ask, status } = await start(t, 3);
  for (let count = 0; count < 20; count += 1) t.equal(await status("ann", "secret"), 200);
  for (const last of [1, 2, 3]) t.equal(await status("john", "x", `192.0.2.${last}`), 401);
  const reply: GatewayReply = await ask("john", "x", "192.0.2.4");
  t.match(reply, { status: 429, headers: { "retry-after": "60" } });
  t.equal(await status("john", "secret"), 429, "the right one, too: else it could be guessed");
  t.equal(await status("ann", "secret"), 200);
});

t.test("by client, whatever the name", async (t) => {
  const { status } = await start(t, 1);
  for (const name of ["a", "b", "c", "d", "e"]) t.equal(await status(name, "x"), 401);
  t.equal(await status("f", "x"), 429);
  t.equal(await status("f", "x", "192.0.2.8"), 401);
});

t.test("where a user has logged in, guesses from elsewhere do not lock out", async (t) => {
  const { status } = await start(t, 2);
  t.equal(await status("ann", "secret"), 200);
  for (const expected of [401, 401, 429]) t.equal(await status("ann", "x", "192.0.2.8"), expected);
  t.equal(await status("ann", "secret"), 200);
  for (const expected of [401, 401, 429]) t.equal(await status("ann", "x"), expected);
});

t.test("a program that repeats an old password locks out nobody", async (t) => {
  const { status } = await start(t, 2, 60);
  for (let count = 0; count < 20; count += 1) t.equal(await status("ann", "old"), 401);
  t.equal(await status("ann", "secret"), 200);
});

t.test("a password in the cache does not answer those who guess too often", async (t) => {
  const { status } = await start(t, 2, 60);
  t.equal(await status("ann", "secret"), 200);
  for (const guess of ["1", "2"]) t.equal(await status("ann", guess, "192.0.2.8"), 401);
  t.equal(await status("ann", "secret", "192.0.2.8"), 429);
  t.equal(await status("ann", "secret"), 200);
});

t.test("0 is unlimited", async (t) => {
  const { status } = await start(t, 0);
  for (let count = 0; count < 60; count += 1) t.equal(await status("ann", "x"), 401);
});

t.test("each refusal is a line that fail2ban reads, and a record", async (t) => {
  const { status, log } = await start(t, 1);
  const records: RefusalRecord[] = [];
  const listener = (record: unknown): void => void records.push(record as RefusalRecord);
  refusalChannel.subscribe(listener);
  t.teardown(() => refusalChannel.unsubscribe(listener));
  for (const [user, password] of [
    ["nobody", "x"],
    ["ann", "x"],
    ["ann", "y"],
    ["john", "secret"],
  ] as const) {
    await status(user, password);
  }
  t.strictSame(
    records.map(({ user, client, reason }) => [user, client, reason]),
    [
      ["nobody", "192.0.2.7", "unknown"],
      ["ann", "192.0.2.7", "wrong"],
      ["ann", "192.0.2.7", "limited"],
    ],
  );
  // The expressions of Debian's filter.d/apache-auth.conf.
  const prefix =
    /^\[[^\]]+\] \[\S+:\S+\]( \[pid \d+(:\S+ \d+)?\])? \[client ([\d.]+)(:\d{1,5})?\] (?:AH\d+: )?(.+)$/;
  const failure =
    /^user (?!`)(\S*|.*?) (?:auth(?:oriz|entic)ation failure|not found|denied by provider)\b/;
  const found = log()
    .split("\n")
    .flatMap((line) => {
      const [, , , client, , text = ""] = prefix.exec(line) ?? [];
      return failure.test(text) ? [client] : [];
    });
  t.strictSame(found, Array(3).fill("192.0.2.7"));
  t.match(log(), /\[mod_ts:info\].* user john: authentication succeeded for "\/a\/b"/);
});

t.test("a missing package tells nobody who exists", async (t) => {
  // createRequire() resolves by this function: the package is not to be found.
  const name = "_resolveFilename";
  const resolve = Reflect.get(Module, name) as (...args: unknown[]) => string;
  Reflect.set(Module, name, (...args: unknown[]) => {
    if (String(args[0]).startsWith("@node-rs/")) throw new Error("not found");
    return resolve.apply(Module, args);
  });
  t.teardown(() => Reflect.set(Module, name, resolve));
  const users: Record<string, string> = { john: sha, ann: dummyHash };
  const mixed = { ...store, find: async (user: string) => users[user], decoys: () => [dummyHash] };
  const verifier = new Verifier(mixed, 60);
  const results = [
    ["john", "wrong"],
    ["ann", "unchecked"],
    ["nobody", "unknown"],
  ] as const;
  for (const [user, result] of [...results, ...results]) {
    t.equal((await verifier.verify(user, "x")).result, result);
  }
});
