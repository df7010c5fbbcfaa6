/** The script of `mod_ts/refresh` in a real browser, on pages with a Content-Security-Policy. */
import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import { startBrowser, withoutBrowser } from "../fixtures/chromium.ts";
import { startApache } from "../fixtures/httpd.ts";

const page = (text: string): string => `
  const policies = {
    self: "default-src 'self'",
    nonce: "script-src 'nonce-abc'; style-src 'self'; connect-src 'self'",
    none: "",
  };
  export const handler = (req) => {
    const policy = policies[req.pathInfo.slice(1) || req.uri.split("/").at(-1)];
    if (policy) req.headersOut.set("Content-Security-Policy", policy);
    req.contentType = "text/html";
    req.write("<!DOCTYPE html><link rel=stylesheet href=/site.css><p>${text}</p>");
    return 0;
  };`;
/** As Express sends a page: with its length, and 304 for one that the browser has. */
const application = (text: string, comment: string): string => `
  // ${comment}
  export default (message, response) => {
    const etag = '"${text}"';
    import.meta.state.requests = (import.meta.state.requests ?? 0) + 1;
    response.setHeader("ETag", etag);
    response.setHeader("Content-Security-Policy", "default-src 'self'");
    response.setHeader("Content-Type", "text/html");
    if (message.headers["if-none-match"] === etag) response.writeHead(304).end();
    else response.end("<!DOCTYPE html><p>${text} " + import.meta.state.requests + "</p>");
  };`;
const css = (color: string): string => `p { color: ${color}; }`;

/** Saves until the browser shows it: the watcher begins some time after the first page. */
async function saveUntil(t: Test, save: () => void, shown: Promise<unknown>): Promise<void> {
  save();
  const saving = setInterval(save, 300);
  t.teardown(() => clearInterval(saving));
  await shown;
  clearInterval(saving);
}

/** The types of a browser are not those of Node.js. */
interface Window {
  document: { querySelector(selector: string): { textContent: string } | null };
  getComputedStyle(element: object): { color: string };
}

/** Resolves when the paragraph has this color and text, in a page that was not loaded again, or was. */
async function shows(open: Page, color: string, text: string, isSame: boolean): Promise<void> {
  await open.waitForFunction(
    ([wanted, words, same]) => {
      const window = globalThis as unknown as Window;
      const paragraph = window.document.querySelector("p");
      if (!paragraph || "mark" in window !== same) return false;
      return window.getComputedStyle(paragraph).color === wanted && paragraph.textContent === words;
    },
    [color, text, isSame] as const,
    { timeout: 60_000 },
  );
}

const red = "rgb(255, 0, 0)";
const green = "rgb(0, 128, 0)";

t.test("in a browser", { skip: withoutBrowser }, async (t) => {
  const apache = await startApache(t, {
    conf: `
      <Location /.mod-ts/refresh>\nUse TsHandler mod_ts/refresh\n</Location>
      <Location /page>\nUse TsHandler page.ts\n</Location>
      <Location /app>
        Use TsHandler mod_ts/node
        Use TsOption mod_ts.node.application app.ts
      </Location>`,
    handlers: { "page.ts": page("one"), "app.ts": application("one", "first") },
    files: { "htdocs/site.css": css("red") },
    config: { development: true },
  });
  const browser = await startBrowser(t);
  t.test("an application that validates its pages is loaded once for each save", async (t) => {
    const open = await browser.newPage();
    t.teardown(() => open.close());
    await open.goto(`${apache.url}/app`);
    await open.waitForSelector("text=/^one 1$/");
    apache.write("handlers/app.ts", application("one", "second"));
    await open.waitForSelector("text=/^one 2$/");
    apache.write("handlers/app.ts", application("two", "third"));
    await open.waitForSelector("text=/^two 3$/");
  });
  for (const policy of ["self", "nonce", "none"]) {
    t.test(`policy ${policy}`, async (t) => {
      apache.write("handlers/page.ts", page("one"));
      apache.write("htdocs/site.css", css("red"));
      const open = await browser.newPage();
      t.teardown(() => open.close());
      const mistakes: string[] = [];
      open.on("console", (message) => message.type() === "error" && mistakes.push(message.text()));
      open.on("pageerror", ({ message }) => mistakes.push(message));
      await open.goto(`${apache.url}/page/${policy}`);
      await shows(open, red, "one", false);
      await open.evaluate(() => Object.assign(globalThis, { mark: 1 }));
      const save = (): void => apache.write("htdocs/site.css", css("green"));
      await saveUntil(t, save, shows(open, green, "one", true));
      t.equal(await open.locator("link[rel=stylesheet]").count(), 1, "in place of the old one");
      apache.write("handlers/page.ts", page("two"));
      await shows(open, green, "two", false);
      t.same(
        mistakes.filter((text) => /policy|refused/i.test(text)),
        [],
      );
    });
  }
});
