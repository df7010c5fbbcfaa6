/** Style and script fit the page that they are for. */
import { Script } from "node:vm";
import t from "tap";
import { renderPage } from "../../../src/handlers/status/page.ts";
import { script, style } from "../../../src/handlers/status/page-assets.ts";
import { sampleStatus } from "../../fixtures/status-sample.ts";

const page = renderPage(sampleStatus());

t.test("the script is JavaScript, and finds what it changes", async (t) => {
  t.doesNotThrow(() => new Script(script), "it can be parsed");
  for (const [, selector = ""] of script.matchAll(/querySelector\("([^"]+)"\)/g)) {
    const last = selector.split(" ").at(-1)!;
    const pattern = last.startsWith(".") ? new RegExp(`class="${last.slice(1)}\\b`) : `<${last}`;
    t.match(page, pattern, `${selector} is on the page`);
  }
});

t.test("nothing is loaded from elsewhere", async (t) => {
  t.notMatch(style, /@import|url\(|https?:/);
  t.notMatch(script, /https?:|import\(/);
});

t.test("the style closes what it opens, and has a color for each state", async (t) => {
  t.equal(style.match(/\{/g)?.length, style.match(/\}/g)?.length);
  for (const state of ["ready", "degraded", "down", "starting", "draining", "blocked", "failed"])
    t.match(style, new RegExp(`\\.${state}[,{]`), `state ${state}`);
});
