import { PassThrough, Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import t from "tap";
import { feedSink } from "../../../src/request/body/upload.ts";

const head = { name: "f", filename: "a", clientFilename: "a", type: "text/plain" };

/** More than all buffers on the way hold. */
const partOf = (): Readable => Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(8192)));

t.test("whoever reads it has it whole", async (t) => {
  const part = Readable.from([Buffer.from("one "), Buffer.from("two")]);
  let got = "";
  await feedSink(
    async ({ stream, ...rest }) => {
      t.strictSame(rest, head);
      got = await text(stream);
    },
    head,
    part,
  );
  t.equal(got, "one two");
});

t.test("a Writable is written to, and ended", async (t) => {
  for (const later of [false, true]) {
    const sink = new PassThrough();
    const got = text(sink);
    await feedSink(() => (later ? Promise.resolve(sink) : sink), head, Readable.from(["whole"]));
    t.equal(await got, "whole");
  }
});

t.test("a part that is not read to its end is skipped", async (t) => {
  const ways = {
    "not at all": () => {},
    "a break in the loop": async ({ stream }: { stream: Readable }) => {
      for await (const _ of stream) break;
    },
    "a stream destroyed": ({ stream }: { stream: Readable }) => void stream.destroy(),
    "a stream destroyed with an error": ({ stream }: { stream: Readable }) =>
      void stream.destroy(new Error("enough")),
  };
  for (const [way, onFile] of Object.entries(ways)) {
    const part = partOf();
    await feedSink(onFile, head, part);
    t.ok(part.readableEnded, way);
  }
});

t.test("what goes wrong is told", async (t) => {
  const refuse = async (): Promise<void> => {
    throw new Error("not this one");
  };
  await t.rejects(feedSink(refuse, head, partOf()), { message: "not this one" });
  const full = new Writable({ write: (_, __, done) => done(new Error("full")) });
  await t.rejects(
    feedSink(() => full, head, partOf()),
    { message: "full" },
  );
  const broken = new PassThrough();
  broken.write("part");
  const reading = feedSink(({ stream }) => text(stream).then(() => {}), head, broken);
  broken.destroy(new Error("gone"));
  await t.rejects(reading, { message: "gone" });
});
