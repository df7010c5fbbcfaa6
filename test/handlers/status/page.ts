/** The page, from a status with everything that clients and authors choose. */
import t from "tap";
import { duration, mebibytes, renderPage, span } from "../../../src/handlers/status/page.ts";
import { sampleStatus } from "../../fixtures/status-sample.ts";

t.test(
  "the page escapes what it shows, and needs nothing inline and nothing from elsewhere",
  async (t) => {
    const page = renderPage(sampleStatus());
    t.notMatch(page, /<(b|i|u|em|script>alert|main>: 1)>/);
    t.match(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
    t.match(page, "throw &#39;&lt;u&gt;&#39;");
    t.notMatch(page, / style=| on\w+=|<style|https?:/);
    t.equal(page.match(/<polyline/g)?.length, 6);
    t.match(page, "1,234");
    t.match(page, "<td>&lt;echo&gt;</td><td>main</td>", "a socket of its own");
  },
);

t.test("an empty status is a page, too", async (t) => {
  const status = {
    ...sampleStatus(),
    pools: [],
    errors: [],
    builds: [],
    history: [],
    lastReload: null,
  };
  t.match(renderPage(status), "not reloaded yet");
});

t.test("durations, times and sizes in words", async (t) => {
  t.same([0, 0.00012, 0.0034, 0.25, 3.44, 70].map(duration), [
    "0",
    "0.12 ms",
    "3.4 ms",
    "250 ms",
    "3.4 s",
    "70 s",
  ]);
  t.same([1000, 150_000, 9_000_000, 200_000_000].map(span), [
    "1 s",
    "2 min",
    "2 h 30 min",
    "2 d 7 h",
  ]);
  t.equal(mebibytes(1024 ** 2), "1 MiB");
});
