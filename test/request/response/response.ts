import { once } from "node:events";
import t from "tap";
import { internals } from "../../../src/request/internals.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { serve } from "../../fixtures/exchange-server.ts";

t.test("a short answer goes out in one piece, with its length", async (t) => {
  const server = await serve(t, (req) => {
    req.contentType = "text/plain";
    req.write("Grüße ");
    req.write("aus mod_ts");
    t.equal(req.bytesSent, 0);
  });
  const { raw } = await server.ask();
  t.equal(
    Buffer.from(raw, "latin1").toString(),
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 18\r\n" +
      "Connection: close\r\n\r\nGrüße aus mod_ts",
  );
});

t.test("content types", async (t) => {
  const cases: [string, (req: ApacheRequest) => void, string | undefined][] = [
    ["text without a type is HTML", (req) => req.write("x"), "text/html; charset=utf-8"],
    [
      "bytes without a type are bytes",
      (req) => req.write(Buffer.from("x")),
      "application/octet-stream",
    ],
    ["an empty answer has none", () => {}, undefined],
    [
      "a charset is respected",
      (req) => {
        req.contentType = "text/plain; Charset=latin1";
        req.write("x");
      },
      "text/plain; Charset=latin1",
    ],
    [
      "bytes get no charset",
      (req) => {
        req.contentType = "text/css";
        req.write(Buffer.from("x"));
      },
      "text/css",
    ],
    [
      "other types get no charset",
      (req) => {
        req.contentType = "application/json";
        req.write("{}");
      },
      "application/json",
    ],
    [
      "a header does as well",
      (req) => {
        req.headersOut.set("content-type", "text/csv");
        req.write("x");
      },
      "text/csv; charset=utf-8",
    ],
    [
      "the member wins",
      (req) => {
        req.errHeadersOut.set("content-type", "text/csv");
        req.contentType = "text/css";
        req.write("x");
      },
      "text/css; charset=utf-8",
    ],
    [
      "null takes it back",
      (req) => {
        req.contentType = "text/css";
        req.contentType = null;
        req.write(Buffer.from("x"));
      },
      "application/octet-stream",
    ],
  ];
  for (const [name, handler, type] of cases) {
    const server = await serve(t, (req) => void handler(req));
    t.equal((await server.ask()).headers["content-type"], type, name);
  }
});

t.test("only text and bytes can be written", async (t) => {
  const server = await serve(t, (req) => {
    for (const value of [null, 5, {}, [1], new ArrayBuffer(1)]) {
      t.throws(() => req.write(value as string), { code: "MODTS_BAD_ARGUMENT" });
    }
    t.throws(() => req.setContentLength(1.5), { code: "MODTS_BAD_HEADER" });
  });
  t.match(await server.ask(), { status: 200, body: "" });
});

t.test(
  "fail keeps the Location of errHeadersOut, repeated names, and the allowed methods",
  async (t) => {
    const server = await serve(t, (req) => {
      const { response } = req[internals];
      req.headersOut.set("Location", "/out").set("A", "0");
      req.errHeadersOut.set("Location", "/err").set("a", "1");
      req.allowMethods(["GET"]);
      const status = Number(req.unparsedUri.slice(1));
      response.fail(status, [
        ["A", "2"],
        ["a", "3"],
      ]);
    });
    const redirect = await server.ask("GET /307");
    t.match(redirect, { status: 307, headers: { location: "/err", a: "2|3" } });
    t.notOk(redirect.headers["allow"]);
    t.match(await server.ask("GET /501"), { status: 501, headers: { allow: "GET" } });
    for (const status of [0, 100, 600, Number.NaN]) {
      t.equal((await server.ask(`GET /${status}`)).status, 500);
    }
  },
);

t.test("text and bytes mix in order", async (t) => {
  const server = await serve(t, (req) => {
    const bytes = Buffer.from([0xff, 0x00]);
    req.write("é");
    req.write(bytes);
    bytes.fill(0x41);
    req.write("ü");
  });
  const { raw } = await server.ask();
  t.ok(raw.endsWith("\r\n\r\n\xc3\xa9\xff\x00\xc3\xbc"));
});

t.test("a Latin-1 header keeps its bytes next to a UTF-8 body", async (t) => {
  const server = await serve(t, async (req) => {
    req.headersOut.set("X-Name", "J\xf6rg");
    req.write("ö");
    if (req.unparsedUri === "/stream") await req.flush();
  });
  for (const target of ["/", "/stream"]) {
    const { raw, body } = await server.ask(`GET ${target}`);
    t.match(raw, "X-Name: J\xf6rg\r\n");
    t.equal(body, "ö");
  }
});

t.test("flush sends a head that nothing follows yet", async (t) => {
  let release = (): void => {};
  const server = await serve(t, async (req) => {
    await req.flush();
    await new Promise<void>((resolve) => (release = resolve));
    req.write("later");
  });
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [head] = await once(socket, "data");
  t.match(String(head), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
  release();
  const [rest] = await once(socket, "data");
  t.match(String(rest), "later");
});

t.test("flush sends, and closes the headers", async (t) => {
  const late: unknown[] = [];
  const server = await serve(t, async (req) => {
    req.headersOut.set("X-A", "1");
    req.write("a");
    await req.flush();
    t.equal(req.headersSent, true);
    t.equal(req.bytesSent, 1);
    t.equal(req.sentBodyCt, 1);
    const attempts = [
      () => req.headersOut.set("X-A", "2"),
      () => req.errHeadersOut.set("X-E", "2"),
      () => (req.status = 404),
      () => (req.statusLine = "404 No"),
      () => (req.contentType = "text/css"),
      () => req.setContentLength(5),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        late.push([(error as { code: string }).code, (error as Error).message.split(" ")[0]]);
      }
    }
    req.write("b", true);
    req.write("c");
  });
  const answer = await server.ask();
  t.equal(answer.headers["transfer-encoding"], "chunked");
  t.equal(answer.body, "abc");
  t.match(answer.raw, /\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n$/);
  t.strictSame(
    late,
    ["X-A", "X-E", "status", "statusLine", "contentType", "Content-Length"].map((name) => [
      "MODTS_HEADERS_SENT",
      name,
    ]),
  );
});

t.test("more than 64 KiB leaves by itself when the handler waits", async (t) => {
  const sent: number[] = [];
  const server = await serve(t, async (req) => {
    req.write("x".repeat(65536));
    await turn();
    sent.push(req.bytesSent);
    t.equal(req.write("y"), false);
    sent.push(req.bytesSent);
    await turn();
    sent.push(req.bytesSent);
    t.throws(() => req.headersOut.set("x", "y"), { code: "MODTS_HEADERS_SENT" });
  });
  const answer = await server.ask();
  t.strictSame(sent, [0, 0, 65537]);
  t.equal(answer.headers["content-length"], undefined);
  t.equal(answer.body.length, 65537);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test("what is written in one go is sent in one piece, up to 1 MiB", async (t) => {
  const sent: number[] = [];
  const server = await serve(t, async (req) => {
    const part = Buffer.alloc(1 << 18);
    const count = req.unparsedUri === "/more" ? 5 : 4;
    for (const letter of "abcde".slice(0, count)) req.write(part.fill(letter));
    sent.push(req.bytesSent);
    part.fill("x");
    if (req.unparsedUri === "/error") return 404;
    return undefined;
  });
  const letters = (text: string): string => [...text].map((one) => one.repeat(1 << 18)).join("");
  const whole = await server.ask();
  t.equal(whole.headers["content-length"], String(1 << 20));
  t.ok(whole.body === letters("abcd"));
  const more = await server.ask("GET /more");
  t.equal(more.headers["transfer-encoding"], "chunked");
  t.ok(more.body === letters("abcde"));
  t.equal((await server.ask("GET /error")).status, 404, "nothing was sent");
  t.strictSame(sent, [0, 5 << 18, 0]);
});

t.test("many small parts plan one turn", async (t) => {
  const planned = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === "Immediate").length;
  const server = await serve(t, async (req) => {
    req.write("x".repeat(70_000));
    const before = planned();
    for (let count = 0; count < 100; count++) t.equal(req.write("y"), false);
    t.equal(planned(), before);
    await turn();
    t.equal(req.bytesSent, 70_100);
    req.write("z".repeat(70_000));
  });
  t.equal((await server.ask()).body.length, 140_100);
});

t.test("a length that is told too late is judged by the next call", async (t) => {
  const server = await serve(t, async (req) => {
    req.write("x".repeat(70_000));
    req.setContentLength(5);
    await turn();
    t.equal(req.bytesSent, 0);
    t.throws(() => req.write("y"), { code: "MODTS_LENGTH_MISMATCH" });
  });
  t.equal((await server.ask()).complete, false);
});

t.test("HEAD has the length but no body", async (t) => {
  const server = await serve(t, async (req) => {
    if (req.uri === "/") t.equal(req.headerOnly, true);
    if (req.unparsedUri === "/declared") return req.setContentLength(99);
    if (req.unparsedUri === "/nothing") return;
    req.write("hello");
    if (req.unparsedUri === "/flush") await req.flush();
  });
  const length = async (target: string): Promise<string | undefined> => {
    const { headers, raw, complete } = await server.ask(`HEAD ${target}`);
    t.ok(complete);
    t.ok(raw.endsWith("\r\n\r\n"), "no body");
    return headers["content-length"];
  };
  t.equal(await length("/"), "5");
  t.equal(await length("/declared"), "99");
  t.equal(await length("/nothing"), undefined, "0 would be a lie about GET");
  t.equal(await length("/flush"), undefined);
});

t.test("204 and 304 have no body and no length", async (t) => {
  for (const status of [204, 304]) {
    const server = await serve(t, async (req) => {
      req.status = status;
      req.contentType = "text/plain";
      req.write("ignored");
      if (req.unparsedUri === "/flush") await req.flush();
    });
    for (const target of ["/", "/flush"]) {
      const { raw } = await server.ask(`GET ${target}`);
      t.match(raw, new RegExp(`^HTTP/1.1 ${status} [^\r]*\r\nConnection: close\r\n\r\n$`));
    }
  }
});

t.test("status lines", async (t) => {
  const server = await serve(t, (req) => {
    req.status = 404;
    req.statusLine = "404 Not Here";
    t.equal(req.statusLine, "404 Not Here");
    if (req.unparsedUri === "/other") req.status = 403;
  });
  t.equal((await server.ask()).reason, "Not Here");
  t.equal(
    (await server.ask("GET /other")).reason,
    "Forbidden",
    "a line of another status is dropped",
  );
});

t.test("a status line cannot split the response", async (t) => {
  const server = await serve(t, (req) => {
    t.throws(() => (req.statusLine = "200 OK\r\nX: y"), { code: "MODTS_BAD_HEADER" });
    t.throws(() => (req.statusLine = "fine"), { code: "MODTS_BAD_ARGUMENT" });
    t.throws(() => (req.contentType = "text/html\r\nX: y"), { code: "MODTS_BAD_HEADER" });
    for (const status of [100, 199, 600, 200.5, Number.NaN]) {
      t.throws(() => (req.status = status), { code: "MODTS_BAD_ARGUMENT" }, String(status));
    }
    t.throws(() => req.write(undefined as unknown as string), { code: "MODTS_BAD_ARGUMENT" });
    t.throws(() => req.setContentLength(-1), { code: "MODTS_BAD_HEADER" });
  });
  t.match(
    (await server.ask()).raw,
    /^HTTP\/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n$/,
  );
});

t.test("framing is not the handler's", async (t) => {
  const server = await serve(t, (req) => {
    for (const name of ["Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer"]) {
      req.headersOut.set(name, "chunked");
      req.errHeadersOut.set(name, "chunked");
    }
    req.errHeadersOut.set("Content-Length", "3");
    req.write("hello");
  });
  const answer = await server.ask();
  t.strictSame(answer.headers, {
    "content-type": "text/html; charset=utf-8",
    "content-length": "5",
    connection: "close",
  });
});

t.test("an announced length is kept", async (t) => {
  const server = await serve(t, async (req) => {
    req.setContentLength(4);
    req.write("ab");
    await req.flush();
    if (req.unparsedUri === "/short") return;
    req.write(req.unparsedUri === "/long" ? "cdef" : "cd", true);
    t.not(req.unparsedUri, "/long", "the write itself fails");
  });
  const right = await server.ask();
  t.equal(right.headers["content-length"], "4");
  t.equal(right.body, "abcd");
  t.equal(server.errors.length, 0);
  const long = await server.ask("GET /long");
  t.equal(long.body, "ab", "not a byte goes out that another response would begin with");
  const short = await server.ask("GET /short");
  t.equal(short.complete, false);
  t.match(server.errors, [
    { code: "MODTS_LENGTH_MISMATCH", message: /6 bytes; expected 4/ },
    { code: "MODTS_LENGTH_MISMATCH", message: /2 bytes; expected 4/ },
  ]);
});

t.test("fail drops the body and headersOut", async (t) => {
  const server = await serve(t, (req) => {
    const { response } = req[internals];
    req.contentType = "application/json";
    req.headersOut.set("X-Out", "1");
    req.headersOut.set("Location", "/there");
    req.headersOut.set("ETag", '"1"');
    req.errHeadersOut.add("Set-Cookie", "a=1");
    req.errHeadersOut.add("Set-Cookie", "b=2");
    req.noCache = true;
    req.allowMethods(["GET", "POST"]);
    req.write("secret");
    const status = Number(req.unparsedUri.slice(1));
    response.fail(status, [["X-Given", "2"]], status === 404 ? "none" : undefined);
    response.fail(500, [], "too late");
  });
  const found = await server.ask("GET /404");
  t.strictSame(found.headers, {
    "set-cookie": "a=1|b=2",
    "x-given": "2",
    "content-type": "text/plain; charset=utf-8",
    "content-length": "4",
    connection: "close",
  });
  t.equal(found.body, "none");
  t.match((await server.ask("GET /302")).headers, { location: "/there", "content-length": "0" });
  t.equal((await server.ask("GET /405")).headers["allow"], "GET, POST");
  t.equal((await server.ask("GET /404")).headers["allow"], undefined);
  t.equal((await server.ask("GET /104")).status, 500);
  t.match((await server.ask("GET /304")).headers, { etag: '"1"', "x-out": "1" });
});

t.test("a type that is named replaces what there was", async (t) => {
  const server = await serve(t, (req) => {
    const { response } = req[internals];
    req.errHeadersOut.set("Content-Type", "text/css");
    if (req.unparsedUri === "/own") return response.fail(400, [], "{}");
    response.fail(400, [["content-type", "application/json"]], "{}");
  });
  t.equal((await server.ask()).headers["content-type"], "application/json");
  t.equal((await server.ask("GET /own")).headers["content-type"], "text/css; charset=utf-8");
});

t.test("a failure after the headers breaks the connection", async (t) => {
  const server = await serve(t, async (req) => {
    req.write("half");
    await req.flush();
    throw new Error("boom");
  });
  const answer = await server.ask();
  t.equal(answer.status, 200);
  t.equal(answer.complete, false, "no last chunk");
});

t.test("noCache", async (t) => {
  const server = await serve(t, (req) => {
    req.noCache = true;
    t.equal(req.noCache, true);
    if (req.unparsedUri === "/own") req.headersOut.set("Cache-Control", "no-store");
  });
  const { headers } = await server.ask();
  t.equal(headers["cache-control"], "no-cache");
  t.equal(headers["expires"], "Thu, 01 Jan 1970 00:00:00 GMT");
  t.equal((await server.ask("GET /own")).headers["cache-control"], "no-store");
});

t.test("discard forgets what was written", async (t) => {
  const server = await serve(t, (req) => {
    req.write("old");
    req.headersOut.set("Content-Encoding", "gzip");
    req[internals].response.discard();
    req.write("new");
  });
  const answer = await server.ask();
  t.equal(answer.body, "new");
  t.equal(answer.headers["content-encoding"], undefined);
});

t.test("after the end nothing can be written", async (t) => {
  const server = await serve(t, async (req) => {
    const { response } = req[internals];
    req.write("done");
    response.finish();
    response.finish();
    t.throws(() => req.write("x"), { code: "MODTS_RESPONSE_ENDED" });
    await t.rejects(req.flush(), { code: "MODTS_RESPONSE_ENDED" });
    t.throws(() => req.headersOut.set("x", "y"), { code: "MODTS_HEADERS_SENT" });
  });
  t.equal((await server.ask()).body, "done");
});

t.test("a producer learns that the client has gone", async (t) => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const server = await serve(t, async (req) => {
    try {
      for (;;) {
        req.write("x".repeat(100_000));
        await req.flush();
      }
    } catch (error) {
      t.throws(() => req.write("x"), { code: "MODTS_CLIENT_GONE" });
      t.equal(req.connection.aborted, true);
      resolve(error);
    }
  });
  const socket = server.connect();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
  t.match(await promise, { code: "MODTS_CLIENT_GONE" });
});

t.test("a flush that waits for a client that goes away fails", async (t) => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { promise: full, resolve: fill } = Promise.withResolvers<void>();
  const server = await serve(t, async (req) => {
    while (req.write(Buffer.alloc(10_000_000)));
    fill();
    await req.flush().then(resolve, resolve);
  });
  const socket = server.connect();
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await full;
  socket.destroy();
  t.match(await promise, { code: "MODTS_CLIENT_GONE" });
});

t.test("a slow client holds the producer back", async (t) => {
  let turns = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await serve(t, async (req) => {
    for (; turns < 200; turns++) {
      if (!req.write(Buffer.alloc(100_000))) {
        resolve();
        await req.flush();
      }
    }
  });
  const socket = server.connect();
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await promise;
  t.ok(turns < 200, `stopped at ${turns}`);
  socket.resume();
  await once(socket, "close");
  t.equal(turns, 200);
});

t.test("a tail is added to pages only", async (t) => {
  const server = await serve(t, async (req) => {
    req[internals].response.tail = "<tail>";
    const { unparsedUri } = req;
    if (unparsedUri === "/empty") return;
    if (unparsedUri === "/text") req.contentType = "text/plain";
    if (unparsedUri === "/length") req.setContentLength(1);
    if (unparsedUri === "/gzip") req.headersOut.set("Content-Encoding", "gzip");
    if (unparsedUri === "/policy") {
      req.headersOut.set("Content-Security-Policy", "default-src 'none'");
    }
    if (unparsedUri === "/wrong") req.headersOut.set("Content-Length", "9");
    if (unparsedUri === "/announced") req.setContentLength(2);
    req.write("p");
    if (unparsedUri.startsWith("/stream")) await req.flush();
    if (unparsedUri !== "/announced") return;
    await req.flush();
    req.write("q");
  });
  for (const target of ["/", "/length"]) {
    const { body, headers } = await server.ask(`GET ${target}`);
    t.equal(body, "p<tail>", target);
    t.equal(headers["content-length"], "7", target);
  }
  t.equal((await server.ask("GET /stream")).body, "p<tail>");
  const { body, headers } = await server.ask("GET /announced");
  t.match({ body, headers }, { body: "pq<tail>", headers: { "content-length": "8" } });
  for (const target of ["/text", "/gzip", "/policy", "/wrong"]) {
    t.equal((await server.ask(`GET ${target}`)).body, "p", target);
  }
  t.equal((await server.ask("GET /empty")).body, "");
});
