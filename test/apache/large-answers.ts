/** Large answers arrive whole: their memory is used again while they pass, and not a byte of one may be seen in another. */
import { createHash, randomBytes } from "node:crypto";
import { get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const size = 12_000_000;
const names = ["a", "b", "c"];
const bytes = new Map(names.map((name) => [name, randomBytes(size)]));

const apache = await startOrigin(t, {
  handlers: {
    "serve.ts": handlerFile("large-answers-serve.ts"),
    "made.ts": handlerFile("large-answers-made.ts"),
  },
  conf: `
    <Location "/passed">
      Use TsHandler mod_ts/origin
    </Location>
    <Location "/served">
      Use TsHandler serve.ts
    </Location>
    <Location "/made">
      Use TsHandler made.ts
    </Location>`,
});
for (const [name, content] of bytes) apache.write(`htdocs/passed/${name}.bin`, content);

const hashOf = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

function open(path: string): Promise<IncomingMessage> {
  const options = { host: "127.0.0.1", port: apache.port, path, agent: false };
  return new Promise((resolve, reject) => get(options, resolve).once("error", reject));
}

/** Reads with many pauses, and may leave in the middle. */
async function read(path: string, share = 1): Promise<string> {
  const answer = await open(path);
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    hash.update(chunk);
    received += chunk.length;
    if (received > share * size) break;
    if (received % 7 === 0) await sleep(1);
  }
  return hash.digest("hex");
}

for (const place of ["/passed", "/served/passed"]) {
  t.test(`${place}: slow clients, quick ones, and some that leave`, async (t) => {
    const readers = Array.from({ length: 12 }, (_, index) => names[index % 3] as string);
    const leavers = readers.map((name, index) => read(`${place}/${name}.bin`, (index + 1) / 20));
    const hashes = await Promise.all(readers.map((name) => read(`${place}/${name}.bin`)));
    await Promise.all(leavers);
    const expected = readers.map((name) => hashOf(bytes.get(name) as Buffer));
    t.strictSame(hashes, expected);
  });
}

t.test("bytes that a handler changes afterwards", async (t) => {
  const asked = ["response", "write", "writes"].flatMap((way) =>
    ["a", "b", "c"].map((letter) => ({ letter, path: `/made/${letter}?${way}` })),
  );
  const leavers = asked.map(({ path }, index) => read(path, index / 50));
  const hashes = await Promise.all(asked.map(({ path }) => read(path)));
  await Promise.all(leavers);
  t.strictSame(
    hashes,
    asked.map(({ letter }) => hashOf(Buffer.alloc(3_000_000, letter))),
  );
});

t.test("httpd passes them on in large pieces", async (t) => {
  const client = new RawClient(apache.port);
  const text = await client.head("GET /made/z?writes HTTP/1.1", "Connection: close").closed;
  const chunks = text.match(/(?<=\r\n)[0-9a-f]+(?=\r\n)/g) ?? [];
  const longest = Math.max(...chunks.map((length) => Number.parseInt(length, 16)));
  t.ok(longest > 16_384, `${chunks.length} chunks of up to ${longest} bytes`);
});
