/** Whatever breaks between Apache and a decision: nobody is let in by it, and nobody who may come is turned away by a reload. */
import { once } from "node:events";
import { renameSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import * as record from "../../src/authorizer/fastcgi.ts";
import { FCGI_OVERLOADED, FCGI_STDERR } from "../fixtures/fcgi-client.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, startApache, startEcho } from "../fixtures/httpd.ts";
import { logSince } from "../fixtures/log-since.ts";
import { until } from "../fixtures/until.ts";

const conf = `
  <Location "/">
    AuthType mod_ts
    Use TsAccessHandler judge.ts
    Require valid-user
  </Location>
  <Location "/rights">
    AuthType Basic
    AuthName "Rights"
    AuthBasicProvider mod_ts
    Use TsTellAuthorizer
    SetEnvIfExpr "true" MOD_TS_AUTHEN=judge.ts
  </Location>`;
const files = { "htdocs/a.txt": "SECRET FILE\n", "htdocs/rights/a.txt": "SECRET FILE\n" };

/** An authorizer that answers every request with the same bytes. */
async function startFake(
  t: Test,
): Promise<{ apache: Apache; fake: { answer: (socket: Socket) => void }; asked(): number }> {
  const fake = { answer: (socket: Socket): void => void socket.destroy() };
  let asked = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    // The parameters come in one or two records; their end is an empty one.
    let seen = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      seen = Buffer.concat([seen, bytes]);
      if (!seen.subarray(-8).equals(record.writeRecord(record.FCGI_PARAMS, 1, Buffer.alloc(0))))
        return;
      asked += 1;
      fake.answer(socket);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const before = `Define MOD_TS_AUTHORIZER 127.0.0.1:${port}`;
  const apache = await startEcho(t, {
    conf,
    before,
    files: { ...files, "run/authorizer.listening": "" },
  });
  return { apache, fake, asked: () => asked };
}

const stdout = (text: string, id = 1): Buffer =>
  record.writeStream(record.FCGI_STDOUT, id, Buffer.from(text));
const end = (status = 0, appStatus = 0, id = 1): Buffer =>
  record.writeEndRequest(id, status, appStatus);
const allowing = "Status: 200 OK\r\nVariable-MOD_TS_USER: ann\r\n\r\n";
const denying = "Status: 403 Forbidden\r\nX-Reason: policy\r\n\r\n<p>no</p>";

t.test("a fake authorizer", async (t) => {
  const { apache, fake, asked } = await startFake(t);
  const basic = {
    headers: { authorization: `Basic ${Buffer.from("ann:pass").toString("base64")}` },
  };
  const ask = async (answer: Buffer): Promise<string> => {
    fake.answer = (socket) => void socket.end(answer);
    const { status, body } = await apache.request("/a.txt");
    return body.includes("SECRET") ? "served" : String(status);
  };

  await t.test("a whole refusal is what it says, a permission needs a proof", async (t) => {
    t.equal(await ask(Buffer.concat([stdout(allowing), end()])), "401");
    t.equal(await ask(Buffer.concat([stdout(denying), end()])), "403");
  });

  await t.test("a refusal that is cut anywhere is no permission", async (t) => {
    const whole = Buffer.concat([stdout(denying), end()]);
    for (let length = 0; length < whole.length; length += 1) {
      t.match(await ask(whole.subarray(0, length)), /^(?:403|500)$/, `${length} bytes of it`);
    }
  });

  await t.test("nor is one in pieces, with a pause at each byte of its head", async (t) => {
    const whole = Buffer.concat([stdout(denying), end()]);
    fake.answer = (socket) => {
      let at = 0;
      const next = (): void => {
        if (at === 40) return void socket.end(whole.subarray(at));
        socket.write(whole.subarray(at, (at += 1)), () => setImmediate(next));
      };
      next();
    };
    const { status, body } = await apache.request("/a.txt");
    t.equal(status, 403);
    t.notMatch(body, /SECRET/);
  });

  await t.test("a permission that is cut before its head is complete is none", async (t) => {
    const whole = Buffer.concat([stdout(allowing), end()]);
    for (let length = 0; length < 8 + allowing.length; length += 1) {
      t.equal(await ask(whole.subarray(0, length)), "500", `${length} bytes of it`);
    }
  });

  const garbage: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    "no FastCGI": Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "another version": Buffer.concat([stdout(allowing), end()]).fill(2, 0, 1),
    "another request": Buffer.concat([stdout(allowing, 2), end(0, 0, 2)]),
    "words for the log": Buffer.concat([
      record.writeStream(FCGI_STDERR, 1, Buffer.from(allowing)),
      end(),
    ]),
    "an unknown record": Buffer.concat([record.writeRecord(99, 1, Buffer.from(allowing)), end()]),
    "the end alone": end(),
    "an end of overload": end(FCGI_OVERLOADED),
    zeros: Buffer.alloc(200),
    noise: Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 7919) % 251)),
    "a record that says it is long": Buffer.from([1, 6, 0, 1, 255, 255, 255, 0, 83]),
    "a large number": Buffer.concat([stdout("Status: 2000\r\n\r\n"), end()]),
    "a negative number": Buffer.concat([stdout("Status: -200\r\n\r\n"), end()]),
    "a head that never ends": Buffer.concat([
      stdout(`Status: 403\r\nX: ${"x".repeat(60_000)}`),
      end(),
    ]),
    "no head": Buffer.concat([stdout("Status: 200"), end()]),
  };
  for (const [what, bytes] of Object.entries(garbage)) {
    await t.test(`${what} is no permission`, async (t) => {
      t.match(await ask(bytes), /^[45]\d\d$/);
      fake.answer = (socket) => void socket.end(bytes);
      const { status, body } = await apache.request("/rights/a.txt", basic);
      t.ok(status >= 400, `as AuthBasicProvider: ${status}`);
      t.notMatch(body, /SECRET/);
    });
  }

  await t.test("a connection that is reset", async (t) => {
    fake.answer = (socket) => void socket.resetAndDestroy();
    t.match(await apache.request("/a.txt"), { status: 500 });
    t.ok(asked() > 100);
  });
});

t.test("no permission with the wrong secret, or with none", async (t) => {
  const config = { secret: "0123456789abcdef" };
  const handlers = { "judge.ts": "export const accessHandler = () => 0;" };
  for (const before of ["Define MOD_TS_SECRET 0123456789abcdeF", ""]) {
    const apache = await startApache(t, {
      authorizer: true,
      conf,
      files,
      handlers,
      config,
      before,
    });
    await until(apache.sidecarLog, /\bready\b/);
    const { status, body } = await apache.request("/a.txt");
    t.equal(status, 403, "a wrong or missing secret refuses");
    t.notMatch(body, /SECRET/);
    t.match(await until(apache.sidecarLog, "MODTS_SECRET_WRONG"), /MODTS_SECRET_WRONG/);
    await apache.stop();
  }
});

const judge = (version: number): string =>
  handlerFile("auth-faults-judge.ts").replace('"1"', `"${version}"`);

t.test("the sidecar", async (t) => {
  const handlers = { "judge.ts": judge(1) };
  const apache = await startApache(t, { authorizer: true, conf, files, handlers });
  await until(apache.sidecarLog, /\bready\b/);
  const may = { headers: { "x-may": "yes" } };

  await t.test("a broken save: the last version that worked decides", async (t) => {
    t.match(await apache.request("/a.txt", may), { status: 200 });
    apache.write("handlers/judge.ts", "export function accessHandler( {");
    t.match(await apache.request("/a.txt", may), { status: 200, headers: { "x-version": "1" } });
    t.match(await apache.request("/a.txt"), { status: 403, headers: { "x-version": "1" } });
    apache.write("handlers/judge.ts", "export function anotherHandler() { return 0; }");
    t.match(await apache.request("/a.txt"), { status: 403, headers: { "x-version": "1" } });
    apache.write("handlers/judge.ts", judge(2));
    t.match(await apache.request("/a.txt", may), { status: 200, headers: { "x-version": "2" } });
    t.match(await apache.request("/a.txt"), { status: 403, headers: { "x-version": "2" } });
  });

  await t.test(
    "reloads and saves under load: nobody is let in, nobody is turned away",
    async (t) => {
      const state = { running: true };
      const wrong: string[] = [];
      const counts = { served: 0, refused: 0 };
      const loop = async (): Promise<void> => {
        while (state.running) {
          const served = await apache.request("/a.txt", may);
          if (served.status === 200) counts.served += 1;
          else wrong.push(`turned away: ${served.status}`);
          const refused = await apache.request("/a.txt");
          if (refused.status === 403 && !refused.body.includes("SECRET")) counts.refused += 1;
          else wrong.push(`let in: ${refused.status}`);
        }
      };
      const loops = [loop(), loop(), loop()];
      let version = 2;
      for (let count = 1; count <= 3; count += 1) {
        version += 1;
        const logged = logSince(apache.sidecarLog);
        apache.sidecar.kill("SIGHUP");
        // Whole at once, as a deployment does: a new worker has no last good version to decide while a file is half there.
        apache.write("judge.next", judge(version));
        renameSync(join(apache.folder, "judge.next"), join(apache.folder, "handlers/judge.ts"));
        await logged(/\] reloaded, generation/);
      }
      state.running = false;
      await Promise.all(loops);
      t.strictSame(wrong, []);
      t.ok(counts.refused > 20, JSON.stringify(counts));
      t.match(await apache.request("/a.txt", may), { headers: { "x-version": String(version) } });
    },
  );

  await t.test("a worker that dies in the middle of a decision", async (t) => {
    const { status, body } = await apache.request("/a.txt?die", may);
    t.equal(status, 500);
    t.notMatch(body, /SECRET/);
    await until(apache.sidecarLog, "MODTS_WORKER_DIED");
    t.match(await apache.request("/a.txt"), { status: 403 }, "the next one refuses as before");
  });

  await t.test("killed while it decides, and down", async (t) => {
    const waiting = apache.request("/a.txt?wait", may);
    const before = apache.request("/a.txt", may);
    t.equal((await before).status, 200);
    apache.sidecar.kill("SIGKILL");
    await once(apache.sidecar, "exit");
    const { status, body } = await waiting;
    t.ok(status >= 500, `${status}`);
    t.notMatch(body, /SECRET/);
    t.match(await apache.request("/a.txt", may), { status: 500 });
  });
});

t.test("a handler that never loaded lets nobody in", async (t) => {
  const handlers = { "judge.ts": "export function accessHandler( {" };
  const apache = await startApache(t, { authorizer: true, conf, files, handlers });
  await until(apache.sidecarLog, /\bready\b/);
  const { status, body } = await apache.request("/a.txt", { headers: { "x-may": "yes" } });
  t.equal(status, 500);
  t.notMatch(body, /SECRET/);
  apache.write("handlers/judge.ts", judge(1));
  t.match(await apache.request("/a.txt", { headers: { "x-may": "yes" } }), { status: 200 });
});
