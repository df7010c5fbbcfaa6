import t from "tap";
import { plot } from "../../../src/handlers/status/plot.ts";

const drawn = (...lines: number[][]): string =>
  plot({ title: "<Calls>", value: "7 & more", lines, format: (most) => `${most} <calls>` });

t.test("titles and values are text, never markup", async (t) => {
  const svg = drawn([1]);
  t.match(svg, "&lt;Calls&gt;<strong>7 &amp; more</strong>");
  t.match(svg, "at most 1 &lt;calls&gt;");
  t.notMatch(svg, /<Calls>|<calls>/);
});

t.test("the newest value is at the right edge, the largest at the top", async (t) => {
  t.match(drawn([0, 5, 10]), 'class="line" points="118,40 119,21 120,2"');
  t.match(drawn([0, 0]), 'points="119,40 120,40"', "zeros are at the bottom");
});

t.test("the first line is filled, all lines have one scale", async (t) => {
  const svg = drawn([5], [10]);
  t.equal(svg.match(/<polygon/g)?.length, 1, "one area");
  t.match(svg, 'class="line" points="120,21"');
  t.match(svg, 'class="line second" points="120,2"');
});

t.test("without values there is the base line only", async (t) => {
  t.notMatch(drawn(), /<poly/);
  t.notMatch(drawn([], []), /<poly/);
});
