/**
 * SCGI by hand and by a fuzzer: `FUZZ_RECORDS=1000000 FUZZ_SEED=1` for more. A failure names the seed
 * of its request.
 */
import t from "tap";
import { type ScgiEvent, ScgiReader } from "../../src/decider/netstring.ts";
import { Random } from "../fixtures/fastcgi-fuzz.ts";
import { scgiRequest } from "../fixtures/scgi.ts";

const limit = 4096;
const head = [
  ["CONTENT_LENGTH", "0"],
  ["SCGI", "1"],
] as const;

function read(bytes: Buffer | string, cut = Infinity): ScgiEvent {
  const reader = new ScgiReader(limit);
  const all = Buffer.from(bytes);
  for (let at = 0; at < all.length; at += cut) {
    const event = reader.push(all.subarray(at, at + cut));
    if (event.type !== "wait") return event;
  }
  return { type: "wait" };
}

t.test("a request, cut anywhere, with a body behind it", (t) => {
  const bytes = scgiRequest([...head, ["REQUEST_URI", "/a"], ["EMPTY", ""], ["BYTES", "é"]]);
  for (const cut of [1, 2, 7, Infinity]) {
    const event = read(Buffer.concat([bytes, Buffer.from("body")]), cut);
    if (event.type !== "request") return t.fail(`cut at ${cut}`);
    t.strictSame(Object.fromEntries(event.params), {
      CONTENT_LENGTH: "0",
      SCGI: "1",
      REQUEST_URI: "/a",
      EMPTY: "",
      BYTES: "Ã©",
    });
  }
  t.end();
});

t.test("what is malformed is never a request", (t) => {
  const good = scgiRequest(head).toString("latin1");
  const cases = {
    "no length": ":,",
    "another protocol": "GET / HTTP/1.1\r\n\r\n",
    "a leading zero": `0${good}`,
    "a sign": `-${good}`,
    "a length beyond the limit": "4097:",
    "an endless length": "1".repeat(20),
    "no comma": `${good.slice(0, -1)};`,
    "an incomplete variable": "3:a\0b,",
    "a name without a value": "2:a\0,",
    "no variables": "0:,",
    "the length is not first": scgiRequest([...head].toReversed()),
    "not SCGI": scgiRequest([["CONTENT_LENGTH", "0"]]),
    "a variable twice": scgiRequest([...head, ["SCGI", "1"]]),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    for (const cut of [1, Infinity]) t.equal(read(bytes, cut).type, "malformed", name);
  }
  t.equal(read("4096:").type, "wait", "the limit itself");
  t.equal(read(good.slice(0, -1)).type, "wait", "bytes are missing");
  t.end();
});

t.test("after a request or a mistake, nothing more is read", (t) => {
  const reader = new ScgiReader(limit);
  t.equal(reader.push(scgiRequest(head)).type, "request");
  t.equal(reader.push(scgiRequest(head)).type, "wait");
  t.end();
});

t.test("random and broken requests", (t) => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const records = Number(process.env["FUZZ_RECORDS"] ?? 20_000);
  for (let count = 0; count < records; count += 1) {
    const random = new Random(seed + count);
    const pairs = Array.from({ length: random.below(5) }, (_, index) => {
      return [`NAME_${index}`, "v".repeat(random.below(40))] as const;
    });
    const bytes = scgiRequest([...head, ...pairs]);
    const isBroken = random.chance(50);
    if (isBroken) bytes[random.below(bytes.length)] = random.below(256);
    const cut = 1 + random.below(bytes.length);
    const event = read(bytes, cut);
    // One that is still valid says what its bytes say.
    const sent = bytes.toString("latin1", bytes.indexOf(":") + 1);
    const isFaithful =
      event.type !== "request" || sent.startsWith(`${[...event.params].flat().join("\0")}\0,`);
    const isRight = isBroken ? isFaithful : event.type === "request" && isFaithful;
    if (!isRight) return t.fail(`FUZZ_SEED=${seed + count} FUZZ_RECORDS=1`);
  }
  t.pass(`${records} requests`);
  t.end();
});
