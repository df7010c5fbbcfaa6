/** Another server behind a handler: headers, streaming, what breaks on the way, and that nothing is left behind. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import t, { type Test } from "tap";
import { WebSocketServer, WebSocket } from "ws";
import { freePort } from "../../src/httpd/private-server.ts";
import { isCutOff } from "../fixtures/cut-off.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { listen } from "../fixtures/listen.ts";
import { answering, startRawServer } from "../fixtures/origin.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const section = (path: string, url: string, more = ""): string => `
  <Location "${path}">
    Use TsHandler mod_ts/origin
    Use TsOption mod_ts.origin.url ${url}
    ${more}
  </Location>`;

async function startHttp(t: Test, server: Server): Promise<string> {
  return `http://127.0.0.1:${await listen(t, server)}`;
}

t.test("headers: what goes on, what is true, what ends here", async (t) => {
  const upstream = await startRawServer(
    t,
    answering(
      "body",
      "X-Up: 1",
      "Connection: x-private",
      "X-Private: secret",
      "Keep-Alive: timeout=1",
      "Proxy-Authenticate: Basic",
      "Mod-Ts-Origin: 1;x;y",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
    ),
  );
  const apache = await startApache(t, {
    conf:
      section("/app", upstream.url) +
      section("/strip", `${upstream.url}/base/`, "Use TsOption mod_ts.origin.strip /strip") +
      section("/kept", upstream.url, "Use TsOption mod_ts.origin.preserve_host on"),
  });
  const got = await apache.request("/app//a/../c;d?q=%2F&x", {
    headers: {
      host: "www.example.org:81",
      "x-forwarded-for": "10.0.0.1",
      "x-forwarded-host": "evil",
      "X-Forwarded-Proto": "gopher",
      forwarded: "for=10.0.0.1",
      "x-real-ip": "10.0.0.1",
      te: "trailers",
      "proxy-authorization": "Basic eA==",
      connection: "close, x-mine",
      "x-mine": "hop",
      authorization: "Bearer token",
      "x-list": ["1", "2"],
    },
  });
  t.match(got, { status: 200, body: "body", headers: { "x-up": "1" } });
  t.same(got.headers["set-cookie"], ["a=1", "b=2"]);
  for (const name of ["x-private", "keep-alive", "proxy-authenticate", "mod-ts-origin"]) {
    t.equal(got.headers[name], undefined, name);
  }
  const [line = "", ...lines] = upstream.bytes().split("\r\n");
  t.equal(line, "GET /app/c;d?q=%2F&x HTTP/1.1", "the path that Apache has judged");
  const sent = new Map(lines.map((text) => text.toLowerCase().split(": ") as [string, string]));
  const { host } = new URL(upstream.url);
  t.match(Object.fromEntries(sent), {
    host,
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "www.example.org:81",
    "x-forwarded-proto": "http",
    authorization: "bearer token",
    via: "1.1 mod_ts",
  });
  for (const name of ["x-mine", "te", "proxy-authorization", "forwarded", "x-real-ip", "upgrade"]) {
    t.notOk(sent.has(name), name);
  }
  t.notMatch(upstream.bytes(), /mod-ts-/i);

  await apache.request("/strip/x?y", { headers: { host: "www.example.org" } });
  await apache.request("/strip", { headers: { host: "www.example.org" } });
  await apache.request("/kept/", { headers: { host: "www.example.org" } });
  const requests = upstream.bytes().match(/^[A-Z]+ .*|^host: .*/gim);
  t.same(requests?.slice(2), [
    "GET /base/x?y HTTP/1.1",
    `host: ${host}`,
    "GET /base/ HTTP/1.1",
    `host: ${host}`,
    "GET /kept/ HTTP/1.1",
    "host: www.example.org",
  ]);
});

t.test("a long page before the body, whose head has left", async (t) => {
  const upstream = await startRawServer(t, answering("body", "X-Up: 1"));
  const lost = await startRawServer(t, ({ socket }) =>
    socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost"),
  );
  const apache = await startApache(t, {
    handlers: {
      "top.ts": handlerFile("origin-foreign-top.ts"),
    },
    conf: (section("/app", upstream.url) + section("/lost", lost.url)).replaceAll(
      "TsHandler mod_ts/origin",
      'TsHandler "top.ts mod_ts/origin"',
    ),
  });
  const { status, body } = await apache.request("/app/a");
  t.equal(status, 200);
  t.equal(body, "x".repeat(70_000) + "body");
  t.ok(await isCutOff(apache.request("/lost/a")), "another status comes too late: cut off");
});

t.test("a Unix socket", async (t) => {
  const folder = t.testdir({});
  await startRawServer(t, answering("over the socket"), join(folder, "app.sock"));
  const conf = section("/app", `unix:${folder}/app.sock`);
  const apache = await startApache(t, { conf });
  t.match(await apache.request("/app"), { status: 200, body: "over the socket" });
});

t.test("streaming both ways, at the speed of the slower side", async (t) => {
  const upstream = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => response.write(`<${chunk.toString()}>`));
    request.once("end", () => response.end("end"));
  });
  const apache = await startApache(t, { conf: section("/app", await startHttp(t, upstream)) });
  const client = new RawClient(apache.port);
  client.head("GET /app HTTP/1.1", "Transfer-Encoding: chunked", "Expect: 100-continue");
  await client.until(/^HTTP\/1\.1 100 /);
  client.chunk("one").chunk("two").send("0\r\n\r\n");
  await client.until(/end/);
  // Apache may have sent both chunks as one.
  t.match(client.text, /<one(?:>[^]*<)?two>[^]*end/, "what came in went out, in its order");
  client.leave();
});

t.test(
  "a body that the origin refuses is not asked for; one that never asks gets it",
  async (t) => {
    const upstream = await startRawServer(t, (connection) => {
      const { text, socket } = connection;
      if (text.includes("/silent ") && !text.endsWith("\r\n\r\nabc")) return;
      const status = text.includes("/silent ") ? "200 OK" : "413 Too Large";
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 1\r\n\r\n!`);
    });
    const apache = await startApache(t, { conf: section("/app", upstream.url) });
    for (const [path, answer] of [
      ["/app", /^HTTP\/1\.1 413 [^]*!$/],
      ["/app/silent", /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 [^]*!$/],
    ] as const) {
      const client = new RawClient(apache.port);
      client.head(
        `PUT ${path} HTTP/1.1`,
        "Expect: 100-continue",
        "Connection: close",
        "Content-Length: 3",
      );
      if ((await client.until(/\r\n\r\n/)).startsWith("HTTP/1.1 100 ")) client.send("abc");
      t.match(await client.closed, answer, path);
    }
  },
);

t.test("103 Early Hints go ahead", async (t) => {
  const upstream = createServer((_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => response.end("page"));
  });
  const apache = await startApache(t, { conf: section("/app", await startHttp(t, upstream)) });
  const client = new RawClient(apache.port);
  client.head("GET /app HTTP/1.1", "Connection: close");
  const text = await client.closed;
  t.match(text, /^HTTP\/1\.1 103 [^]*style\.css[^]*HTTP\/1\.1 200 [^]*page/);
});

t.test("a client that goes away takes the connection along", async (t) => {
  // Apache notices when it writes, so there must be something to write.
  const upstream = await startRawServer(t, ({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nbegin");
    const timer = setInterval(() => socket.write("more"), 5);
    socket.once("close", () => clearInterval(timer));
  });
  const apache = await startApache(t, { conf: section("/app", upstream.url) });
  const clients = [1, 2, 3].map(() => new RawClient(apache.port).head("GET /app HTTP/1.1"));
  await Promise.all(clients.map((client) => client.until(/begin/)));
  t.equal(upstream.open(), 3);
  for (const client of clients) client.leave();
  await until(() => String(upstream.open()), "0");
  t.equal(upstream.open(), 0);
  t.equal(upstream.connections.length, 3, "and nothing was asked twice");
});

t.test("what breaks, and what the log says", async (t) => {
  const reset = await startRawServer(t, ({ socket }) => socket.resetAndDestroy());
  const half = await startRawServer(t, ({ socket }) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
  );
  const halfChunks = await startRawServer(t, ({ socket }) =>
    socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
  );
  const nonsense = await startRawServer(t, ({ socket }) => socket.end("SSH-2.0-x\r\n\r\n"));
  const twoLengths = await startRawServer(t, ({ socket }) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
  );
  const silent = await startRawServer(t, () => {});
  const nobody = `http://127.0.0.1:${await freePort("127.0.0.1")}`;
  const apache = await startApache(t, {
    conf: [
      section("/reset", reset.url),
      section("/half", half.url),
      section("/chunks", halfChunks.url),
      section("/nonsense", nonsense.url),
      section("/lengths", twoLengths.url),
      section("/silent", silent.url, "Use TsOption mod_ts.origin.timeout 100"),
      section("/nobody", nobody),
      section("/typo", nobody, "Use TsOption mod_ts.origin.tiemout 100"),
      section("/path", "unix:relative.sock"),
      `<Location /apache>
         Use TsHandler mod_ts/origin
       </Location>`,
    ].join("\n"),
  });
  const status = async (path: string): Promise<number> => (await apache.request(path)).status;
  t.equal(await status("/reset"), 502);
  t.equal(await status("/nobody"), 502);
  t.equal(await status("/nonsense"), 502);
  t.equal(await status("/lengths"), 502);
  t.equal(await status("/silent"), 504);
  await until(() => String(silent.open()), "0");
  t.equal(silent.open(), 0, "and nobody waits any longer");
  t.equal(await status("/typo"), 500);
  t.equal(await status("/path"), 500);
  t.equal(await status("/apache"), 500, "call backs are not configured");
  for (const path of ["/half", "/chunks"]) {
    t.ok(await isCutOff(apache.request(path)), `${path}: cut off, and no success`);
  }
  const log = await until(apache.sidecarLog, /MODTS_ORIGIN_BROKEN[^]*MODTS_ORIGIN_BROKEN/);
  for (const code of ["DOWN", "TIMEOUT", "BROKEN", "UNSET"]) {
    t.match(log, new RegExp(`MODTS_ORIGIN_${code}: .*mod_ts/origin`), code);
  }
  t.match(log, /MODTS_BAD_OPTION: invalid option mod_ts\.origin\.tiemout: unknown option/);
});

t.test(
  "half an answer never passes for a whole one, returned by fetchOrigin() neither",
  async (t) => {
    const noLength = await startRawServer(t, ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\nhalf");
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    const noChunk = await startRawServer(t, ({ socket }) =>
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n"),
    );
    const both = (path: string, url: string): string =>
      section(path, url) +
      section(`/fetched${path}`, url).replace("TsHandler mod_ts/origin", "TsHandler fetch.ts");
    const apache = await startApache(t, {
      handlers: {
        "fetch.ts": handlerFile("fetch-origin.ts"),
      },
      conf: both("/length", noLength.url) + both("/chunk", noChunk.url),
    });
    for (const prefix of ["", "/fetched"]) {
      t.ok(await isCutOff(apache.request(`${prefix}/length`)), `${prefix}: a reset is no end`);
      t.equal((await apache.request(`${prefix}/chunk`)).status, 502, `${prefix}: a broken chunk`);
    }
  },
);

t.test("a circle through another address ends", async (t) => {
  const port = await freePort("127.0.0.1");
  const apache = await startApache(t, {
    before: `Listen 127.0.0.1:${port}`,
    conf: section("/app", `http://127.0.0.1:${port}`),
  });
  t.equal((await apache.request("/app")).status, 508);
  t.match(await until(apache.sidecarLog, /MODTS_ORIGIN_LOOP/), /MODTS_ORIGIN_LOOP/);
});

t.test("WebSockets", async (t) => {
  const upstream = createServer((_request, response) => response.end("plain"));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (names) => [...names].at(-1) ?? false,
  });
  let joined: Duplex | undefined;
  upstream.on("upgrade", (request, socket, head) => {
    joined = socket;
    if (request.url === "/app/no") {
      return void socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on("message", (data) => client.send(`${request.headers["x-forwarded-for"]} ${data}`));
    });
  });
  const url = await startHttp(t, upstream);
  const apache = await startApache(t, {
    handlers: {
      "first.ts": handlerFile("declines.ts"),
      "log.ts": handlerFile("origin-foreign-log.ts"),
      "gate.ts": handlerFile("origin-foreign-gate.ts"),
    },
    conf: `
      <Location /app>
        Use TsHandler "first.ts mod_ts/origin"
        Use TsLogHandler log.ts
        Use TsOption mod_ts.origin.url ${url}
      </Location>
      <Location /app/gate>
        Use TsHandler "gate.ts mod_ts/origin"
      </Location>
      <Location /self>
        Use TsHandler mod_ts/origin
      </Location>
      ${section("/nobody", `http://127.0.0.1:${await freePort("127.0.0.1")}`)}`,
  });
  const address = `ws://127.0.0.1:${apache.port}`;
  const socket = new WebSocket(`${address}/app/x`, ["one", "two"]);
  await once(socket, "open");
  t.equal(socket.protocol, "two", "the origin chose");
  socket.send("hello");
  t.equal(String((await once(socket, "message"))[0]), "127.0.0.1 hello");
  const gone = once(joined as Duplex, "close");
  socket.terminate();
  await gone;
  t.pass("whoever goes takes the other along");
  t.match(await apache.request("/app/x"), { status: 200, body: "plain" });

  const refused = async (path: string): Promise<number | undefined> => {
    const [, response] = await once(new WebSocket(address + path), "unexpected-response");
    return (response as { statusCode?: number }).statusCode;
  };
  t.equal(await refused("/app/no"), 401);
  t.equal(await refused("/nobody"), 502);
  t.equal(await refused("/self"), 500);
  joined = undefined;
  t.equal(await refused("/app/gate"), 403, "a handler before it stands guard here, too");
  t.equal(joined, undefined, "and the origin heard nothing");
  for (const query of ["open", "ok"]) {
    const passed = new WebSocket(`${address}/app/gate?${query}`);
    await once(passed, "open");
    passed.terminate();
  }
  t.match(
    await until(apache.sidecarLog, /mod_ts\.origin\.url: upgrades need another server as origin/),
    /mod_ts\.origin\.url: upgrades need another server as origin/,
  );

  const last = new WebSocket(`${address}/app/last`);
  await once(last, "open");
  last.on("error", () => {});
  const closed = [once(last, "close"), once(joined as unknown as Duplex, "close")];
  const ended = once(apache.sidecar, "exit");
  apache.sidecar.kill("SIGTERM");
  await Promise.all([...closed, ended]);
  t.match(
    await until(apache.sidecarLog, "joined until /app/last"),
    "joined until /app/last",
    "a worker that stops ends them in order",
  );
});
