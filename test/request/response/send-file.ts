import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import t from "tap";
import { serve } from "../../fixtures/exchange-server.ts";

const big = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));

t.test("whole and in parts", async (t) => {
  const folder = t.testdir({ small: "hello world", empty: "", big });
  symlinkSync("small", `${folder}/link`);
  const cases: [path: string, body: string, offset?: number, length?: number][] = [
    ["small", "hello world"],
    ["link", "hello world"],
    ["small", "world", 6],
    ["small", "lo", 3, 2],
    ["small", "rld", 8, 100],
    ["small", "", 50],
    ["small", "", 0, 0],
    ["empty", ""],
    ["big", big.toString("latin1")],
    ["big", big.subarray(100_000, 250_000).toString("latin1"), 100_000, 150_000],
  ];
  for (const [path, body, offset, length] of cases) {
    const server = await serve(t, async (req) => {
      t.equal(await req.sendFile(`${folder}/${path}`, offset, length), body.length);
    });
    const answer = await server.ask();
    const name = `${path} ${offset} ${length}`;
    t.ok(answer.raw.slice(answer.raw.indexOf("\r\n\r\n") + 4) === body, name);
    t.equal(answer.headers["content-length"], String(body.length), `length of ${name}`);
    t.strictSame(server.errors, []);
  }
});

t.test("HEAD", async (t) => {
  const folder = t.testdir({ big });
  const server = await serve(t, (req) => req.sendFile(`${folder}/big`).then(() => {}));
  const answer = await server.ask("HEAD /");
  t.equal(answer.headers["content-length"], "300000");
  t.ok(answer.raw.endsWith("\r\n\r\n"));
});

t.test("between other writes", async (t) => {
  const folder = t.testdir({ small: "file", big });
  const server = await serve(t, async (req) => {
    req.write("<");
    await req.sendFile(`${folder}/small`);
    req.write(">");
    if (req.unparsedUri === "/big") await req.sendFile(`${folder}/big`);
  });
  t.equal((await server.ask()).body, "<file>");
  const answer = await server.ask("GET /big");
  t.equal(answer.headers["content-length"], String(big.length + 6));
  t.ok(answer.complete);
  t.ok(answer.raw.endsWith(`<file>${big.toString("latin1")}`));
});

t.test("many in turn, at the speed of the client", async (t) => {
  const folder = t.testdir({ big });
  const sent = { turns: 0 };
  const server = await serve(t, async (req) => {
    await req.flush();
    for (; sent.turns < 200; sent.turns++) await req.sendFile(`${folder}/big`);
  });
  const socket = server.connect();
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let seen = -1;
  while (sent.turns === 0 || sent.turns !== seen) {
    seen = sent.turns;
    for (let reads = 0; reads < 50; reads++) await stat(folder);
  }
  t.ok(sent.turns < 200, `it waits after ${sent.turns}`);
  socket.resume();
  await once(socket, "close");
  t.equal(sent.turns, 200);
});

t.test("more than the file that was announced", async (t) => {
  const folder = t.testdir({ big });
  const server = await serve(t, async (req) => {
    if (req.unparsedUri === "/flush") await req.flush();
    await req.sendFile(`${folder}/big`);
    req.write("more");
  });
  t.equal((await server.ask()).raw.endsWith("more"), false);
  t.match(server.errors, [{ code: "MODTS_LENGTH_MISMATCH" }]);
  t.ok((await server.ask("GET /flush")).body.endsWith("more"), "flush() before makes room");
});

t.test("what cannot be sent", async (t) => {
  const folder = t.testdir({ small: "x" });
  mkdirSync(`${folder}/dir`);
  execFileSync("mkfifo", [`${folder}/pipe`]);
  const server = await serve(t, async (req) => {
    const code = "MODTS_FILE_UNREADABLE";
    for (const name of ["none", "dir", "pipe", "nul\0"]) {
      await t.rejects(req.sendFile(`${folder}/${name}`), { code }, JSON.stringify(name));
    }
    await t.rejects(req.sendFile("/dev/null"), { code }, "a device");
    await t.rejects(req.sendFile(`${folder}/small`, -1), { code });
    await t.rejects(req.sendFile(`${folder}/small`, 0.5), { code });
    await t.rejects(req.sendFile(`${folder}/small`, 0, 0.5), { code });
    req.write("still free to answer");
  });
  t.equal((await server.ask()).body, "still free to answer");
});

t.test("a client that goes away ends it", async (t) => {
  const folder = t.testdir({ huge: Buffer.alloc(30_000_000) });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const server = await serve(t, (req) => req.sendFile(`${folder}/huge`).then(resolve, resolve));
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
  t.match(await promise, { code: "MODTS_CLIENT_GONE" });
});
