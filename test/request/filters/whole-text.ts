import t from "tap";
import type { Exchange } from "../../../src/request/exchange.ts";
import {
  chunkFilter,
  type FilteredMessage,
  textFilter,
} from "../../../src/request/filters/filter.ts";
import { WholeText } from "../../../src/request/filters/whole-text.ts";
import { HeaderTable } from "../../../src/request/headers.ts";

const message = (status = 200, headers = {}): FilteredMessage =>
  ({ status, headers: new HeaderTable(headers), contentType: "text/plain" }) as FilteredMessage;

const twice = textFilter((text) => text + text);

/** What is sent for these parts. */
async function send(
  filters: readonly (typeof twice)[],
  parts: readonly string[],
  about = message(),
) {
  const calls: string[] = [];
  const exchange = {
    ended: false,
    end: (body?: Uint8Array) => calls.push(`end ${body && Buffer.from(body).toString()}`),
  };
  const whole = WholeText.of(about, filters, () => calls.push("begin"))!;
  const taken = parts.map((part) => whole.push(Buffer.from(part)));
  await whole.send(exchange as unknown as Exchange);
  return { calls, taken, length: about.headers.get("content-length") };
}

t.test("a body is sent at once, with its length", async (t) => {
  t.strictSame(await send([twice], ["a", "é"]), {
    calls: ["begin", "end aéaé"],
    taken: [true, true],
    length: "6",
  });
  t.strictSame((await send([twice, twice], ["a"])).calls, ["begin", "end aaaa"], "through several");
  t.strictSame((await send([twice], [])).calls, ["begin", "end "], "also without a byte");
});

t.test("a filter may leave no body", async (t) => {
  const none = textFilter((_, about) => {
    about.status = 204;
    return "";
  });
  t.match(await send([none], ["a"]), { calls: ["begin", "end undefined"], length: undefined });
});

t.test("limits hold for each filter, and nothing is sent", async (t) => {
  const small = textFilter((text) => text, { limit: 3 });
  t.match((await send([small], ["ab", "c"])).calls, ["begin", "end abc"]);
  await t.rejects(send([small], ["ab", "cd"]), { code: "MODTS_FILTER_TOO_LARGE" });
  await t.rejects(send([twice, small], ["ab"]), { code: "MODTS_FILTER_TOO_LARGE" });
});

t.test("where streams are needed", (t) => {
  const parts = chunkFilter((chunks) => chunks);
  const begin = (): void => {};
  t.equal(WholeText.of(message(), [twice, parts], begin), undefined);
  t.equal(WholeText.of(message(206), [twice], begin), undefined);
  t.equal(WholeText.of(message(200, { "Content-Encoding": "gzip" }), [twice], begin), undefined);
  t.end();
});
