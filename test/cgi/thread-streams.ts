/** The worker's end of a script's streams. */
import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import t from "tap";
import { outstandingWord } from "../../src/cgi/thread-protocol.ts";
import { ThreadInput, ThreadOutput } from "../../src/cgi/thread-streams.ts";

const words = () => new Int32Array(new SharedArrayBuffer(8));

t.test("output that is not read stays outstanding", async (t) => {
  const control = words();
  const output = new ThreadOutput(control);
  const send = (size: number): void => {
    Atomics.add(control, outstandingWord, size);
    output.accept(new Uint8Array(size));
  };
  send(10);
  t.equal(control[outstandingWord], 0, "there was room");
  send(100_000);
  send(100_000);
  t.equal(control[outstandingWord], 200_000);
  output.on("data", () => {});
  output.accept();
  await once(output, "end");
  t.equal(control[outstandingWord], 0);
  send(5);
  t.equal(control[outstandingWord], 0, "what comes after the end is forgotten");
});

t.test("nobody wants it any more", async (t) => {
  const control = words();
  const output = new ThreadOutput(control);
  Atomics.add(control, outstandingWord, 300_000);
  output.accept(new Uint8Array(300_000));
  output.destroy();
  await once(output, "close");
  t.equal(control[outstandingWord], 0);
});

t.test("input goes when it is asked for", async (t) => {
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  const input = new ThreadInput(port1, words());
  const received: unknown[] = [];
  port2.on("message", (chunk) => received.push(chunk));
  input.write("one");
  input.end("two");
  await new Promise((resolve) => setImmediate(resolve));
  t.same(received, []);
  for (const expected of ["one", "two", null]) {
    port2.postMessage(null);
    const [chunk] = await once(port2, "message");
    t.equal(chunk && String(Buffer.from(chunk as Uint8Array)), expected);
  }
});
