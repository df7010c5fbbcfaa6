/** WebSockets through a stock mod_proxy_http. */
import { on, once } from "node:events";
import { join } from "node:path";
import t from "tap";
import { type ClientOptions, WebSocket } from "ws";
import { contextHeader } from "../fixtures/context-header.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const apache = await startApache(t, {
  conf: `
    <Location /socket>
      Use TsHandler socket.ts
      Use TsOption name value
      Use TsLogHandler log.ts
      Use TsCleanupHandler log.ts
    </Location>
    <Location /socket/denied>
      Use TsFixupHandler deny.ts
    </Location>
    <Location /socket/slow>
      Use TsFixupHandler slow.ts
    </Location>
    <Location /socket/release>
      Use TsHandler slow.ts::release
    </Location>
    <Location /socket/pid>
      Use TsHandler plain.ts::pid
    </Location>
    <Location /socket/open>
      Use TsOption mod_ts.websocket_origins "https://a.example https://b.example"
    </Location>
    <Location /socket/any>
      Use TsOption mod_ts.websocket_origins *
    </Location>
    <Location /plain>
      Use TsHandler plain.ts
    </Location>
    <Location /missing>
      Use TsHandler missing.ts
    </Location>
    ${journalConf}
  `,
  handlers: {
    "journal.ts": journalModule,
    "log.ts": handlerFile("websocket-log.ts"),
    "deny.ts": handlerFile("websocket-deny.ts"),
    "slow.ts": handlerFile("websocket-slow.ts"),
    "plain.ts": handlerFile("websocket-plain.ts"),
    "socket.ts": handlerFile("websocket-socket.ts"),
  },
});

const open = (path: string, options?: ClientOptions): WebSocket =>
  new WebSocket(`ws://127.0.0.1:${apache.port}${path}`, options);

/** The next message. */
async function next(socket: WebSocket): Promise<{ data: Buffer; binary: boolean }> {
  const [data, binary] = (await once(socket, "message")) as [Buffer, boolean];
  return { data, binary };
}

/** How the handshake failed. */
function refusal(path: string, options?: ClientOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = open(path, options);
    socket.once("open", () => reject(new Error("it opened")));
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
}

async function closeOf(path: string): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(open(path), "close")) as [number, Buffer];
  return { code, reason: String(reason) };
}

t.test("text, binary and a megabyte come back as they went", async (t) => {
  const socket = open("/socket?echo");
  await once(socket, "open");
  const messages = [
    "text äöü",
    Buffer.from([0, 255, 10]),
    "",
    "x".repeat(1024 * 1024),
    Buffer.alloc(1024 * 1024, 7),
  ];
  for (const message of messages) {
    const reply = next(socket);
    socket.send(message);
    const { data, binary } = await reply;
    t.ok(data.equals(Buffer.from(message)), "the message comes back unchanged");
    t.equal(binary, typeof message !== "string", "as text or binary, as it was sent");
  }
  socket.close(4000, "bye");
  t.same(((await once(socket, "close")) as [number, Buffer]).map(String), ["4000", "bye"]);
});

t.test("the handler has the request", async (t) => {
  const socket = open("/socket?greet", { headers: { cookie: "a=b" } });
  t.same(JSON.parse(String((await next(socket)).data)), [
    "GET",
    "/socket",
    "greet",
    "value",
    "a=b",
  ]);
  socket.close();
});

t.test("messages pushed by the server, many sockets at once", async (t) => {
  const sockets = Array.from({ length: 20 }, () => open("/socket?push"));
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  const texts = await Promise.all(
    sockets.map(async (socket) => {
      const seen: string[] = [];
      socket.send("go");
      for await (const [data] of on(socket, "message")) {
        if (seen.push(String(data)) === 3) break;
      }
      socket.close();
      return seen.join();
    }),
  );
  t.same(new Set(texts), new Set(["push 0,push 1,push 2"]));
});

t.test("ends", async (t) => {
  t.same(await closeOf("/socket?close"), { code: 4001, reason: "enough" });
  t.same(await closeOf("/socket?terminate"), { code: 1006, reason: "" });
  t.same(await closeOf("/socket?throws"), { code: 1011, reason: "" }, "nothing of the error");
  t.same(await closeOf("/socket?rejects"), { code: 1011, reason: "" });
  t.match(
    await until(apache.sidecarLog, /MODTS_HANDLER_FAILED.*[^]*secret-detail/),
    /MODTS_HANDLER_FAILED.*[^]*secret-detail/,
  );
});

t.test("the log and cleanup phases run when the socket has closed", async (t) => {
  const socket = open("/socket?noted");
  await once(socket, "open");
  const before = await journalHas(apache, "open");
  t.notOk(before.includes("noted log"));
  socket.close(1000, "done");
  await journalHas(apache, "noted cleanup");
  t.same((await readJournal(apache)).slice(before.length), [
    "closed 1000 done true",
    "noted log",
    "noted cleanup",
  ]);
});

t.test("a client that vanishes closes the socket of the handler", async (t) => {
  const before = (await readJournal(apache)).length;
  const socket = open("/socket?noted");
  await once(socket, "open");
  socket.terminate();
  t.same(await journalHas(apache, "noted cleanup", before), [
    "open",
    "closed 1006  true",
    "noted log",
    "noted cleanup",
  ]);
});

t.test("refused before it opens", async (t) => {
  t.equal(await refusal("/socket/denied?echo"), 403);
  t.equal(await refusal("/plain"), 400, "no webSocketHandler is the client's mistake");
  const missing = /MODTS_NO_WEBSOCKET.*plain\.ts has no export named webSocketHandler/;
  t.match(await until(apache.sidecarLog, missing), missing);
  t.equal(await refusal("/missing"), 500);
});

/** What a page of another site gets: `open` or a status. */
function from(path: string, origin: string): Promise<string> {
  const socket = open(path, { origin });
  return new Promise((resolve) => {
    socket.once("open", () => {
      socket.close();
      resolve("open");
    });
    socket.once("unexpected-response", (_request, response) => {
      response.resume();
      resolve(String(response.statusCode));
    });
  });
}

t.test("pages of other sites", async (t) => {
  const own = `http://127.0.0.1:${apache.port}`;
  t.equal(await from("/socket?echo", own), "open");
  for (const origin of [
    "https://evil.example",
    "null",
    `${own}.evil.example`,
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    own.replace("http", "ftp"),
    own.replace("http", "chrome-extension"),
    own.replace("http", "file"),
    own.replace("http:", ""),
    own.replace("http://", ""),
    own.replace("127.0.0.1", "localhost"),
    own.replace("127.0.0.1", "127.0.0.1.evil.example"),
    own.replace("127.0.0.1", "evil.example\\@127.0.0.1"),
    own.replace("http://", "http://evil.example#"),
    own.replace("http://", "http://evil.example?"),
    `https://evil.example/${own}`,
    `${own}, https://evil.example`,
    `${own} https://evil.example`,
    `https://evil.example ${own}`,
    "about:blank",
    "*",
  ]) {
    t.equal(await from("/socket?echo", origin), "403", origin);
  }
  const refused = /MODTS_WEBSOCKET_ORIGIN: WebSocket from origin https:\/\/evil\.example rejected/;
  t.match(await until(apache.sidecarLog, refused), refused);
  t.equal(await from("/socket/open?echo", "https://b.example"), "open");
  t.equal(await from("/socket/open?echo", "https://c.example"), "403");
  t.equal(await from("/socket/any?echo", "https://c.example"), "open");
});

t.test("plain requests to the same place still work, before, after and meanwhile", async (t) => {
  const socket = open("/socket?echo");
  await once(socket, "open");
  t.match(await apache.request("/socket"), { status: 200, body: "plain GET" });
  socket.close();
  t.match(await apache.request("/socket", { method: "POST", body: "x" }), { body: "plain POST" });
});

t.test("other protocols that a client proposes are ignored", async (t) => {
  for (const protocol of ["h2c", "foo/1, bar", "TLS/1.0"]) {
    const client = new RawClient(apache.port).head(
      "GET /plain HTTP/1.1",
      "Connection: Upgrade, HTTP2-Settings, close",
      `Upgrade: ${protocol}`,
      "HTTP2-Settings: AAMAAABkAAQAAP__",
    );
    t.match(await client.closed, /^HTTP\/1.1 200 [^]*plain undefined$/, protocol);
  }
});

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
const handshake = [...upgrade, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`];

t.test("a message sent at once with the handshake is not lost", async (t) => {
  const client = new RawClient(apache.port).head("GET /socket?echo HTTP/1.1", ...handshake);
  // RFC 6455, section 5.7: a masked "Hello".
  client.send(Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]));
  t.match(await client.until(/Hello/), /^HTTP\/1.1 101 Switching Protocols\r\n/);
  t.match(client.text, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  client.leave();
});

t.test("what is no handshake is refused before a handler runs for it", async (t) => {
  const broken = [
    [],
    ["Sec-WebSocket-Version: 13"],
    [`Sec-WebSocket-Key: ${key}`],
    ["Sec-WebSocket-Version: 12", `Sec-WebSocket-Key: ${key}`],
    ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"],
  ];
  for (const lines of broken) {
    const client = new RawClient(apache.port);
    client.head("GET /socket?broken HTTP/1.1", ...upgrade, ...lines);
    t.match(await client.closed, /^HTTP\/1.1 400 /, lines.join());
  }
  const seen = await readJournal(apache);
  t.notOk(seen.includes("broken log"), "not even the log phase");
  const post = new RawClient(apache.port);
  post.head(
    "POST /socket HTTP/1.1",
    "Connection: close",
    "Upgrade: websocket",
    "Content-Length: 0",
  );
  t.match(await post.closed, /plain POST$/, "only GET proposes");
});

t.test("who leaves before the handshake is answered, through Apache or from Apache", async (t) => {
  const context = [
    `Mod-Ts-Context: ${contextHeader({ args: "left", requestLine: "GET /x?left HTTP/1.1" })}`,
    "Mod-Ts-Config: handler socket.ts",
    "Mod-Ts-Config: fixup slow.ts",
    "Mod-Ts-Config: log log.ts",
    "Mod-Ts-Config: cleanup log.ts",
  ];
  const clients = {
    "a client": () => new RawClient(apache.port),
    "Apache itself": () => new RawClient(join(apache.folder, "run/main.sock")),
  };
  for (const [name, connect] of Object.entries(clients)) {
    const before = (await readJournal(apache)).length;
    const client = connect().head("GET /socket/slow?left HTTP/1.1", ...context, ...handshake);
    await journalHas(apache, "slow", before);
    client.leave();
    await apache.request("/socket/release");
    const seen = await journalHas(apache, "left cleanup", before);
    t.same(
      seen.filter((entry) => entry.startsWith("left")),
      ["left log", "left cleanup"],
      name,
    );
  }
});

t.test("a malformed frame ends the socket and nothing else", async (t) => {
  const pid = (await apache.request("/socket/pid")).body;
  const frames = {
    "reserved bits": [0xff, 0x85, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    unmasked: [0x81, 0x01, 0x41],
    "more than a message may have": [0x82, 0xff, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0],
    "no UTF-8": [0x81, 0x81, 0, 0, 0, 0, 0xff],
  };
  for (const [name, frame] of Object.entries(frames)) {
    const client = new RawClient(apache.port).head("GET /socket?noted HTTP/1.1", ...handshake);
    await client.until(/\r\n\r\n/);
    const before = (await readJournal(apache)).length;
    client.send(Buffer.from(frame));
    await client.closed;
    const seen = await journalHas(apache, "noted cleanup", before);
    t.match(seen.at(-3), /^closed 1006/, name);
    client.leave();
  }
  t.equal((await apache.request("/socket/pid")).body, pid, "the same process");
});

t.test("none of this ended the process", async (t) => {
  t.notMatch(apache.sidecarLog(), /MODTS_WORKER_DIED/);
});
