import { once } from "node:events";
import { Readable } from "node:stream";
import t from "tap";
import { ModTsError } from "../../../src/base/errors.ts";
import { BodyReader } from "../../../src/request/body/body.ts";
import type { Exchange } from "../../../src/request/exchange.ts";
import { internals } from "../../../src/request/internals.ts";
import { bodyOf } from "../../../src/request/body/body.ts";
import { serve } from "../../fixtures/exchange-server.ts";

/** A body that comes in the given chunks; everything else of an exchange is unused here. */
function readerOf(...chunks: (string | Buffer | Error)[]): BodyReader {
  const source = Readable.from(
    (function* () {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        yield Buffer.from(chunk);
      }
    })(),
    { objectMode: false, highWaterMark: 1 },
  );
  return new BodyReader({ hasBody: true, body: () => source } as unknown as Exchange);
}

t.test("read gives what is asked for, across chunks", async (t) => {
  const body = readerOf("abc", "def", "", "ghi");
  t.equal(body.used, false);
  t.equal(body.announced, true);
  t.equal(String(await body.read(0)), "");
  t.equal(String(await body.read(2)), "ab");
  t.equal(body.used, true);
  t.equal(String(await body.read(4)), "cdef");
  t.equal(String(await body.read()), "ghi");
  t.equal(String(await body.read()), "");
  t.equal(String(await body.read(5)), "");
  await t.rejects(body.read(1.5), { code: "MODTS_BAD_ARGUMENT" });
  await t.rejects(body.read("1" as unknown as number), { code: "MODTS_BAD_ARGUMENT" });
});

t.test("reads run one after another", async (t) => {
  const body = readerOf("ab", "cd", "ef");
  const parts = await Promise.all([body.read(1), body.read(3), body.readLine(), body.read()]);
  t.strictSame(parts.map(String), ["a", "bcd", "ef", ""]);
});

t.test("readLine and readLines", async (t) => {
  const body = readerOf("one\ntw", "o\r", "\n\nfour", " and more\nlast");
  t.equal(String(await body.readLine()), "one\n");
  t.equal(String(await body.readLine(2)), "tw");
  t.equal(String(await body.readLine()), "o\r\n");
  t.strictSame((await body.readLines(3)).map(String), ["\n", "four and more\n"]);
  t.equal(String(await body.readLine(-1)), "last");
  t.equal(String(await body.readLine()), "");
  t.strictSame(await body.readLines(), []);
  t.strictSame((await readerOf("a\nb").readLines()).map(String), ["a\n", "b"]);
  t.equal((await readerOf("a\nb").readLines(0)).length, 0);
  t.equal(String(await readerOf("a\nb").readLine(2)), "a\n", "a limit at the line feed");
});

t.test("text and json", async (t) => {
  const bytes = Buffer.from("\ufeffgrüße €");
  const body = readerOf(...[...bytes].map((byte) => Buffer.from([byte])));
  t.equal(await body.text(), "grüße €", "split characters, no byte order mark");
  t.equal(await body.text(), "grüße €", "again");
  t.equal(await readerOf(Buffer.from([0xe4])).text("latin1"), "ä");
  t.strictSame(await readerOf('{"a":', "[1]}").json(), { a: [1] });
  await t.rejects(readerOf("{").json(), { name: "HttpError", outcome: 400 });
  await t.rejects(readerOf("").text("klingon"), { code: "MODTS_BAD_ARGUMENT" });
});

t.test("one reader only", async (t) => {
  const body = readerOf("abc");
  await body.read(1);
  t.throws(() => body.claim("req.body"), { code: "MODTS_BODY_USED", message: /req\.read\(\)/ });
  await t.rejects(body.text(), { code: "MODTS_BODY_USED" });
  const other = readerOf("abc");
  t.equal(other.claim("req.body"), other.claim("req.body"), "the same party may ask again");
  await t.rejects(other.read(), { code: "MODTS_BODY_USED", message: /already used by req\.body/ });
});

t.test("errors: ours pass, others mean that the client went away", async (t) => {
  const limit = new ModTsError("MODTS_BODY_TOO_LARGE", { limit: 5 });
  await t.rejects(readerOf("abc", limit).read(), { code: "MODTS_BODY_TOO_LARGE", status: 413 });
  const cause = new Error("aborted");
  await t.rejects(readerOf("abc", cause).text(), { code: "MODTS_BODY_ABORTED", cause });
  await t.rejects(readerOf("abc", cause).discard(), { code: "MODTS_BODY_ABORTED" });
  const body = readerOf("abc", cause);
  t.equal(String(await body.read(3)), "abc", "what came before it can be read");
  await t.rejects(body.read(1), { code: "MODTS_BODY_ABORTED" });
});

t.test("discard", async (t) => {
  const body = readerOf("abc", "def");
  await body.read(1);
  await body.discard();
  t.equal(String(await body.read()), "");
  await body.discard();
  const untouched = readerOf("abc");
  await untouched.discard();
  t.equal(untouched.used, true);
  const none = new BodyReader({ hasBody: false } as Exchange);
  await none.discard();
  t.equal(none.used, false);
  t.equal(String(await none.read()), "");
});

t.test("over the wire, with a length and chunked", async (t) => {
  const server = await serve(t, async (req) => {
    if (req.unparsedUri === "/stream") {
      for await (const chunk of req.body) req.write(chunk as Buffer);
    } else req.write(await req.read());
  });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  for (const target of ["/", "/stream"]) {
    const { raw } = await server.ask(`POST ${target}`, bytes);
    t.ok(raw.endsWith(bytes.toString("latin1")), `${target} is byte-exact`);
  }
  const socket = server.connect();
  socket.write(
    "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  socket.write("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  t.ok(String(await once(socket, "data")).endsWith("\r\n\r\nabcde"));
});

t.test("a client that goes away in the middle", async (t) => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { promise: began, resolve: begin } = Promise.withResolvers<void>();
  const server = await serve(t, async (req) => {
    await req.read(3);
    begin();
    await req.read().catch(resolve);
  });
  const socket = server.connect();
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  await began;
  socket.destroy();
  t.match(await promise, { code: "MODTS_BODY_ABORTED" });
});

t.test("no more is read than was asked for", async (t) => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = await serve(t, async (req) => {
    await req.read(10);
    await new Promise((wait) => setTimeout(wait, 50));
    resolve(bodyOf(req[internals]).claim("req.read()").readableLength);
    await req.discardRequestBody();
  });
  const answer = server.ask("POST /", Buffer.alloc(20_000_000));
  t.ok((await promise) < 1_000_000);
  t.equal((await answer).status, 200);
});

t.test("json within a limit of bytes", async (t) => {
  t.strictSame(await readerOf('{"a":', "1}").json(7), { a: 1 });
  const large = readerOf('{"a":', '"', "x".repeat(100), "never read");
  await t.rejects(large.json(7), { message: "The request body has more than 7 bytes.\n" });
  await t.rejects(large.json(7), { name: "HttpError", message: /7 bytes/ });
});
