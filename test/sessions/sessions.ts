/** A session from the first request to its end, with a clock of our own. */
import t from "tap";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { ApacheRequest } from "../../src/request/request.ts";
import type { SessionOptions } from "../../src/request/session.ts";
import { isSessionId } from "../../src/sessions/session-cookie.ts";
import { serve } from "../fixtures/exchange-server.ts";
import { cookieOf, serveSessions } from "../fixtures/session-server.ts";

let now = 1_000_000_000_000;
const clock = { now: () => now };

/** Counts, and says what it sees. */
const count =
  (options?: SessionOptions) =>
  async (req: ApacheRequest): Promise<void> => {
    const session = await req.session(options);
    session.data["n"] = Number(session.data["n"] ?? 0) + 1;
    req.write(JSON.stringify([session.data["n"], session.isNew]));
  };

t.test("a first request, and the ones after it", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const first = await ask(count());
  t.match(
    first.headers["set-cookie"],
    /^tssid=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/,
    "for this host, without TLS, until the browser is closed",
  );
  t.equal(first.body, "[1,true]");
  const cookie = cookieOf(first);
  const second = await ask(count(), cookie);
  t.equal(second.body, "[2,false]");
  t.notOk(second.headers["set-cookie"]);
  t.equal((await ask(count(), "other=1; " + cookie)).body, "[3,false]");
});

t.test("over TLS the cookie is one that no other host can set", async (t) => {
  const { ask } = await serveSessions(t, clock, { scheme: "https" });
  const first = await ask(count());
  t.match(
    first.headers["set-cookie"],
    /^__Host-tssid=.{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
  t.equal((await ask(count(), cookieOf(first))).body, "[2,false]");
  t.equal((await ask(count(), cookieOf(first).replace("__Host-", ""))).body, "[1,true]");
  const below = await ask(count({ path: "/app", sameSite: "strict" }));
  t.match(below.headers["set-cookie"], /^tssid=.*Path=\/app; HttpOnly; Secure; SameSite=Strict$/);
  const wide = await ask(count({ domain: "example.com" }));
  t.match(wide.headers["set-cookie"], /^tssid=.*Domain=example.com/);
});

t.test("what it tells of itself", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const began = now / 1000;
  const cookie = cookieOf(await ask(count()));
  now += 60_500;
  await ask(async (req) => {
    const session = await req.session();
    t.match(session, { isNew: false, created: began, lastAccessed: began, timeout: 1800 });
    t.equal(`tssid=${session.id}`, cookie);
    t.ok(isSessionId(session.id));
  }, cookie);
  await ask(async (req) => {
    t.equal((await req.session()).lastAccessed, began + 60);
  }, cookie);
});

t.test("the timeout slides, and what has timed out is another session", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  for (let n = 2; n < 5; n += 1) {
    now += 1_799_000;
    t.equal((await ask(count(), cookie)).body, `[${n},false]`);
  }
  now += 1_800_000;
  const late = await ask(count(), cookie);
  t.equal(late.body, "[1,true]");
  t.not(cookieOf(late), cookie, "its id is not taken on");
  t.equal((await ask(count(), cookie)).body, "[1,true]", "nor does it come back");
});

t.test("reading alone keeps it alive, also without a lock", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  for (const lock of [false, "shared", "exclusive"] as const) {
    for (let turn = 0; turn < 3; turn += 1) {
      now += 1_200_000;
      const read = await ask(async (req) => {
        req.write(String((await req.session({ lock })).data["n"]));
      }, cookie);
      t.equal(read.body, "1", String(lock));
    }
  }
});

t.test("an end in any case", async (t) => {
  const { ask } = await serveSessions(t, {
    ...clock,
    values: { "mod_ts.session.max_lifetime": "3600" },
  });
  const cookie = cookieOf(await ask(count()));
  for (const seconds of [1500, 1500, 599]) {
    now += seconds * 1000;
    t.match((await ask(count(), cookie)).body, /false/);
  }
  now += 1000;
  t.equal((await ask(count(), cookie)).body, "[1,true]");
});

t.test("a timeout of its own", async (t) => {
  const { ask } = await serveSessions(t, clock);
  for (const lock of ["exclusive", false] as const) {
    const cookie = cookieOf(await ask(count()));
    await ask(async (req) => {
      const session = await req.session({ lock });
      session.timeout = 7200;
      t.throws(() => (session.timeout = 0), { code: "MODTS_BAD_ARGUMENT" });
      t.throws(() => (session.timeout = NaN), { code: "MODTS_BAD_ARGUMENT" });
    }, cookie);
    now += 7_199_000;
    t.equal((await ask(count(), cookie)).body, "[2,false]");
    now += 7_200_000;
    t.equal((await ask(count(), cookie)).body, "[1,true]");
  }
});

t.test("ids that we did not make: a new session, with an id of its own", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const made = "A".repeat(43);
  const reply = await ask(count(), `tssid=${made}`);
  t.equal(reply.body, "[1,true]");
  t.not(cookieOf(reply), `tssid=${made}`);
  t.equal((await ask(count(), `tssid=${made}`)).body, "[1,true]", "still unknown");
  const cookie = cookieOf(reply);
  const planted = `tssid=${made}; tssid=x; ${cookie}`;
  t.equal((await ask(count(), planted)).body, "[2,false]", "one that was planted hides it not");
  const flood = `${`tssid=${made}; `.repeat(100)}${cookie}`;
  t.equal((await ask(count(), flood)).body, "[1,true]", "not all of a flood are looked for");
});

t.test("nothing is kept of a visitor of whom nothing is to be kept", async (t) => {
  const folder = t.testdir();
  const store = `sqlite:${join(folder, "s.db")}`;
  const { ask } = await serveSessions(t, { ...clock, values: { "mod_ts.session.store": store } });
  await ask(async (req) => {
    await req.session();
  });
  const database = new DatabaseSync(join(folder, "s.db"));
  t.teardown(() => database.close());
  const rows = () => database.prepare("SELECT * FROM session").all();
  t.strictSame(rows(), []);
  const saved = await ask(async (req) => (await req.session()).save());
  t.equal(rows().length, 1, "unless the handler says so");
  t.equal((await ask(count(), cookieOf(saved))).body, "[1,false]");
  const [, id = ""] = cookieOf(saved).split("=");
  t.notMatch(JSON.stringify(rows()), id, "the store does not know the id");
  t.match(rows()[0], { data: '{"n":1}', lock: "" });
});

t.test("the same object for all who ask", async (t) => {
  const { ask, errors } = await serveSessions(t, clock);
  const both = async (req: ApacheRequest): Promise<void> => {
    const [one, two] = await Promise.all([req.session(), req.session({ lock: false })]);
    t.equal(one, two);
    t.equal(await req.session({ lock: "shared" }), one);
    one.data["n"] = Number(one.data["n"] ?? 0) + 1;
    two.data["m"] = one.data["n"];
    req.write(JSON.stringify(one.data));
  };
  const cookie = cookieOf(await ask(both));
  t.equal((await ask(both, cookie)).body, '{"n":2,"m":2}');
  t.strictSame(errors, []);
});

t.test("whoever asks for more gets it: no lock, then one", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  for (const lock of [false, "shared"] as const) {
    const reply = await ask(async (req) => {
      const first = await req.session({ lock });
      const { data } = first;
      if (lock === false) data["free"] = true;
      t.equal(await req.session(), first);
      t.equal(first.data, data, "also for those who have the data in a variable");
      data["n"] = Number(data["n"]) + 1;
      req.write(JSON.stringify(data));
    }, cookie);
    t.match(reply.body, /"free":true/);
  }
  t.equal((await ask(count(), cookie)).body, "[4,false]");
});

t.test("rotation: a new id, the same data, the old id is dead", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const old = cookieOf(await ask(count()));
  const login = await ask(async (req) => {
    const session = await req.session();
    await session.rotate();
    session.data["user"] = "ann";
  }, old);
  const cookie = cookieOf(login);
  t.match(cookie, /^tssid=.{43}$/);
  t.not(cookie, old);
  t.equal((await ask(count(), cookie)).body, "[2,false]");
  t.equal((await ask(count(), old)).body, "[1,true]");

  const fresh = await ask(async (req) => {
    const session = await req.session();
    const before = session.id;
    await session.rotate();
    t.not(session.id, before);
    session.data["n"] = 5;
  });
  t.notMatch(fresh.headers["set-cookie"], /\|/, "a new one has one cookie");
  t.equal((await ask(count(), cookieOf(fresh))).body, "[6,false]");

  const late = await ask(async (req) => {
    const session = await req.session();
    await req.flush();
    await t.rejects(session.rotate(), { code: "MODTS_HEADERS_SENT" });
  }, cookie);
  t.equal(late.status, 200);
  t.equal((await ask(count(), cookie)).body, "[3,false]", "then the old id stays");
});

t.test("a session that another request has ended does not come back by rotating it", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const out = await ask(async (req) => {
    const session = await req.session({ lock: false });
    await ask(async (other) => (await other.session({ lock: false })).invalidate(), cookie);
    await t.rejects(session.rotate(), { code: "MODTS_SESSION_LOST", message: /ended by another/ });
  }, cookie);
  t.equal((await ask(count(), cookieOf(out))).body, "[1,true]", "nothing of before is there");
  t.equal((await ask(count(), cookie)).body, "[1,true]");
});

t.test("invalidation: the record is gone, the browser forgets", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const out = await ask(async (req) => {
    const session = await req.session();
    await session.invalidate();
    await session.delete();
    await session.save();
    t.strictSame({ ...session.data }, {});
    session.data["late"] = true;
  }, cookie);
  t.match(out.headers["set-cookie"], /^tssid=; Max-Age=0; Path=\/; Expires=Thu, 01 Jan 1970/);
  t.equal((await ask(count(), cookie)).body, "[1,true]");

  const again = cookieOf(await ask(count()));
  const next = await ask(async (req) => {
    await (await req.session()).invalidate();
    const session = await req.session();
    t.ok(session.isNew);
    session.data["n"] = 10;
  }, again);
  t.match(cookieOf(next), /^tssid=.{43}$/, "a new one in the same request");
  t.equal((await ask(count(), cookieOf(next))).body, "[11,false]");
  t.equal((await ask(count(), again)).body, "[1,true]");
});

t.test("a session that was ended meanwhile is not brought back", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const end = async (req: ApacheRequest) => (await req.session()).invalidate();
  const reply = await ask(async (req) => {
    const session = await req.session({ lock: false });
    session.data["n"] = 100;
    await ask(end, cookie);
    await t.rejects(session.save(), { code: "MODTS_SESSION_LOST", message: /ended by another/ });
    await t.rejects(session.lock(), { code: "MODTS_SESSION_LOST" });
  }, cookie);
  t.equal(reply.status, 200, "at the end nobody is bothered: the user has logged out");
  t.equal((await ask(count(), cookie)).body, "[1,true]");
});

t.test("a handler that fails changes nothing, and lets others in", async (t) => {
  const { ask, errors } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const failed = await ask(async (req) => {
    (await req.session()).data["n"] = 99;
    throw new Error("failed");
  }, cookie);
  t.equal(failed.status, 500);
  t.equal(errors.length, 1);
  t.equal((await ask(count(), cookie)).body, "[2,false]");
});

t.test("data that JSON does not keep: an error, nothing is written, nobody waits", async (t) => {
  const { ask, errors } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const failed = await ask(async (req) => {
    (await req.session()).data["when"] = new Date();
  }, cookie);
  t.match(failed, { status: 500, body: "MODTS_SESSION_DATA" });
  t.match(errors, [{ message: /session cannot store data.when: an object of class Date/ }]);
  t.equal((await ask(count(), cookie)).body, "[2,false]");
});

t.test("what was opened for reading cannot be changed", async (t) => {
  const { ask, errors } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const failed = await ask(count({ lock: "shared" }), cookie);
  t.match(failed, { status: 500, body: "MODTS_SESSION_LOST" });
  t.match(errors, [{ status: 503, message: /opened with lock: "shared"/ }]);
  t.equal((await ask(count(), cookie)).body, "[2,false]");
});

t.test("unlock saves and lets others in; lock reads anew", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const reply = await ask(async (req) => {
    const session = await req.session();
    session.data["n"] = 10;
    await session.unlock();
    t.equal((await ask(count(), cookie)).body, "[11,false]", "another request in between");
    await session.lock();
    t.equal(session.data["n"], 11);
    session.data["n"] = 20;
  }, cookie);
  t.equal(reply.status, 200);
  t.equal((await ask(count(), cookie)).body, "[21,false]");
});

t.test("a lock that comes when the request is over is given back", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const cookie = cookieOf(await ask(count()));
  const [held, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const others: Promise<unknown>[] = [];
  await ask(async (req) => {
    const session = await req.session();
    await session.unlock();
    const hold = async (other: ApacheRequest): Promise<void> => {
      await other.session();
      held.resolve();
      await end.promise;
    };
    others.push(ask(hold, cookie));
    await held.promise;
    others.push(t.rejects(session.lock(), { code: "MODTS_SESSION_LOST" }));
  }, cookie);
  end.resolve();
  await Promise.all(others);
  t.equal((await ask(count({ lockTimeout: 0 }), cookie)).body, "[2,false]");

  const fresh = await ask(async (req) => void (await req.session()).save());
  t.equal((await ask(count({ lockTimeout: 0 }), cookieOf(fresh))).body, "[1,false]", "by save()");
});

t.test("parts of a second", async (t) => {
  const store = { "mod_ts.session.store": `sqlite:${join(t.testdir(), "s.db")}` };
  const { ask, errors } = await serveSessions(t, { ...clock, values: store });
  const cookie = cookieOf(await ask(count({ timeout: 59.5, maxLifetime: 0.5 })));
  t.equal((await ask(count(), cookie)).body, "[2,false]");
  t.strictSame(errors, []);
});

t.test("an expired one that cannot be removed just now keeps no lock", async (t) => {
  const path = join(t.testdir(), "s.db");
  const store = { "mod_ts.session.store": `sqlite:${path}` };
  const { ask, errors } = await serveSessions(t, { ...clock, values: store });
  const cookie = cookieOf(await ask(count()));
  now += 3_600_000;
  const database = new DatabaseSync(path);
  t.teardown(() => database.close());
  database.exec(
    "CREATE TRIGGER stuck BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'stuck'); END",
  );
  await ask(count(), cookie);
  t.match(errors, [{ code: "MODTS_SESSION_STORE" }]);
  database.exec("DROP TRIGGER stuck");
  t.equal((await ask(count({ lockTimeout: 0 }), cookie)).body, "[1,true]");
  t.strictSame(errors.length, 1);
});

t.test("a rotation that fails leaves the browser its id", async (t) => {
  const path = join(t.testdir(), "s.db");
  const store = { "mod_ts.session.store": `sqlite:${path}` };
  const { ask, errors } = await serveSessions(t, { ...clock, values: store });
  const cookie = cookieOf(await ask(count()));
  const database = new DatabaseSync(path);
  t.teardown(() => database.close());
  database.exec(
    "CREATE TRIGGER stuck BEFORE UPDATE OF id ON session BEGIN SELECT RAISE(ABORT, 'stuck'); END",
  );
  const failed = await ask(async (req) => (await req.session()).rotate(), cookie);
  t.match(errors, [{ code: "MODTS_SESSION_STORE" }]);
  t.equal(cookieOf(failed), cookie);
  t.equal((await ask(count({ lockTimeout: 0 }), cookie)).body, "[2,false]");
});

t.test("after the handlers it is too late", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const kept: { session?: Awaited<ReturnType<ApacheRequest["session"]>>; req?: ApacheRequest } = {};
  const cookie = cookieOf(
    await ask(async (req) => {
      kept.req = req;
      kept.session = await req.session();
      kept.session.data["n"] = 1;
    }),
  );
  const late = { code: "MODTS_SESSION_LOST", message: /the handlers have finished/ };
  for (const act of ["save", "rotate", "lock", "unlock", "invalidate"] as const) {
    await t.rejects(Promise.resolve(kept.session?.[act]()), late, act);
  }
  t.equal((await ask(count(), cookie)).body, "[2,false]");
  await kept.req?.session();
  t.equal((await ask(count(), cookie)).body, "[3,false]", "nor does a late one keep the lock");
});

t.test(
  "a new session needs its cookie before the headers leave; an old one does not",
  async (t) => {
    const { ask } = await serveSessions(t, clock);
    const late = async (req: ApacheRequest): Promise<void> => {
      req.write("x");
      await req.flush();
      await count()(req);
    };
    const cookie = cookieOf(await ask(count()));
    t.equal((await ask(late, cookie)).body, "x[2,false]");
    await ask(async (req) => {
      await req.flush();
      await t.rejects(req.session(), {
        code: "MODTS_HEADERS_SENT",
        message: /^Set-Cookie can no longer/,
      });
    });
  },
);

t.test("the browser hears of a new session when it is kept, and of no other", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const look = async (req: ApacheRequest): Promise<void> => {
    req.write(String((await req.session()).data["n"]));
  };
  const stale = cookieOf(await ask(count())).replace(/=.{5}/, "=stale");
  for (const cookie of [undefined, stale]) {
    const looked = await ask(look, cookie);
    t.equal(looked.body, "undefined");
    // Sent during a login and answered after it, it would end what that began.
    t.notOk(looked.headers["set-cookie"]);
    t.notOk(looked.headers["cache-control"]);
  }
  const failed = await ask(async (req) => {
    await count()(req);
    throw new Error("after all");
  });
  t.notOk(failed.headers["set-cookie"], "what is not kept needs no cookie");
  const saved = await ask(async (req) => (await req.session()).save());
  t.equal((await ask(count(), cookieOf(saved))).body, "[1,false]", "save() keeps one without data");
  const early = await ask(async (req) => {
    const session = await req.session();
    await req.flush();
    session.data["n"] = 7;
  });
  t.equal((await ask(count(), cookieOf(early))).body, "[8,false]", "data may come after the head");
});

t.test("several sessions of a request: in alphabetical order", async (t) => {
  const { ask } = await serveSessions(t, clock);
  const both = async (req: ApacheRequest): Promise<void> => {
    await count({ name: "a" })(req);
    await count({ name: "b" })(req);
  };
  const first = await ask(both);
  t.equal(first.body, "[1,true][1,true]");
  const cookies = (first.headers["set-cookie"] ?? "")
    .split("|")
    .map((line) => line.split(";")[0])
    .join("; ");
  t.equal((await ask(both, cookies)).body, "[2,false][2,false]");
  await ask(async (req) => {
    const b = await req.session({ name: "b" });
    const order = { code: "MODTS_BAD_ARGUMENT", message: /session a must be opened before b/ };
    await t.rejects(req.session({ name: "a" }), order);
    await b.unlock();
    t.equal((await req.session({ name: "a" })).data["n"], 2);
  }, cookies);
  const swapped = cookies.replace("a=", "c=").replace("b=", "a=").replace("c=", "b=");
  t.equal((await ask(both, swapped)).body, "[1,true][1,true]", "an id is good for its own name");
  const [a = ""] = cookies.split("; ");
  const twice = `${a}; ${a.replace("a=", "b=")}`;
  t.equal((await ask(both, twice)).body, "[3,false][1,true]", "the same id twice waits for nobody");
});

t.test("sites do not see each other's sessions, unless they say so", async (t) => {
  const folder = t.testdir();
  const store = { "mod_ts.session.store": `sqlite:${join(folder, "s.db")}` };
  const server = (serverName: string, realm: Record<string, string> = {}, documentRoot = "/srv") =>
    serveSessions(t, { ...clock, values: { ...store, ...realm } }, { serverName, documentRoot });
  const [a, b] = [await server("a.example"), await server("b.example")];
  const ofA = cookieOf(await a.ask(count()));
  t.equal((await a.ask(count(), ofA)).body, "[2,false]");
  t.equal((await b.ask(count(), ofA)).body, "[1,true]");
  const samePort = await server("a.example");
  t.equal((await samePort.ask(count(), ofA)).body, "[3,false]");
  const admin = await server("a.example", {}, "/srv/admin");
  t.equal((await admin.ask(count(), ofA)).body, "[1,true]", "the client has chosen the name");
  const realm = { "mod_ts.session.realm": "shop" };
  const [c, d] = [await server("c.example", realm), await server("d.example", realm)];
  t.equal((await d.ask(count(), cookieOf(await c.ask(count())))).body, "[2,false]");
});

t.test("a damaged record is removed, and its owner gets a new session", async (t) => {
  const path = join(t.testdir(), "s.db");
  const store = { "mod_ts.session.store": `sqlite:${path}` };
  const { ask } = await serveSessions(t, { ...clock, values: store });
  const database = new DatabaseSync(path);
  t.teardown(() => database.close());
  for (const damage of ["data = '{'", "data = '[]'", "data = 'null'"]) {
    const cookie = cookieOf(await ask(count()));
    database.exec(`UPDATE session SET ${damage}`);
    const reply = await ask(count(), cookie);
    t.equal(reply.body, "[1,true]", damage);
    t.not(cookieOf(reply), cookie);
    database.exec("DELETE FROM session");
  }
  const cookie = cookieOf(await ask(count()));
  database.exec("UPDATE session SET lock = 'nonsense'");
  t.equal((await ask(count(), cookie)).body, "[2,false]", "a damaged lock locks nobody out");
});

t.test("a store that cannot be had is an error, and no new session", async (t) => {
  const folder = t.testdir({ "file.db": "no database, as everybody can see" });
  const values = { "mod_ts.session.store": `sqlite:${join(folder, "file.db")}` };
  const { ask, errors } = await serveSessions(t, { values });
  const reply = await ask(count());
  t.match(reply, { status: 500, body: "MODTS_SESSION_STORE" });
  t.notOk(reply.headers["set-cookie"]);
  t.match(errors, [
    { status: 503, message: /^session store .*file.db failed: file is not a database/ },
  ]);
});

t.test("mistakes of the configuration and of the call", async (t) => {
  const { ask, errors } = await serveSessions(t, { workers: 2 });
  t.match(await ask(count()), { status: 500, body: "MODTS_BAD_OPTION" });
  t.match(errors, [
    { message: /memory belongs to one process, and 2 workers share these sessions/ },
  ]);
  const good = await serveSessions(t);
  for (const options of [{ timeout: -1 }, { locked: true }, { lock: "write" }, { name: "a b" }]) {
    t.equal(
      (await good.ask(count(options as SessionOptions))).status,
      500,
      JSON.stringify(options),
    );
  }
});

t.test("without a process behind it there are no sessions", async (t) => {
  const server = await serve(t, (req) => t.rejects(req.session(), { code: "MODTS_BAD_ARGUMENT" }));
  t.equal((await server.ask()).status, 200);
});
