/** A page of a development server loads itself again after a save; nothing else is touched by what that takes. */
import { get as httpGet } from "node:http";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const conf = `
  <Location /.mod-ts/refresh>
    Use TsHandler mod_ts/refresh
  </Location>
  <Location /page>
    Use TsHandler page.ts
  </Location>
`;

const handlers = {
  "page.ts": handlerFile("refresh/page.ts"),
  "helper.ts": handlerFile("refresh/helper.ts"),
};

const html = "<!DOCTYPE html><p>0</p>";
const script = /\n<script (?:nonce="\w+" )?async src="(\/\.mod-ts\/refresh\?[^"]+)"><\/script>/;

/** The address that the script of a page listens to. */
const addressIn = (body: string): string =>
  (script.exec(body)?.[1] ?? "").replaceAll("&amp;", "&").replace("%3A%3Ascript=1&", "");

const apache = await startApache(t, { conf, handlers, config: { development: true } });
const ofBrowser = { headers: { accept: "text/html,*/*;q=0.8" } };
const get = (name: string, details = {}) =>
  apache.request(`/page/${name}`, { ...ofBrowser, ...details });

t.test("every HTML page ends with the script, and its length is right", async (t) => {
  for (const name of [
    "page",
    "default",
    "response",
    "streamed",
    "policy",
    "nonce",
    "missing",
    "announced",
    "validated",
  ]) {
    const { body, headers } = await get(name);
    t.match(body, script, name);
    t.equal(body.split("<script ").length, 2, `${name}: once`);
    const length = headers["content-length"];
    if (name === "streamed") t.equal(headers["transfer-encoding"], "chunked");
    else t.equal(length, String(Buffer.byteLength(body)), name);
    t.notOk(
      headers.etag ?? headers["last-modified"],
      `${name}: a browser would keep the old script`,
    );
  }
});

t.test("HEAD speaks of the same length, without the body", async (t) => {
  const { headers } = await get("page");
  const head = await get("page", { method: "HEAD" });
  t.match(head, {
    status: 200,
    body: /^$/,
    headers: { "content-length": headers["content-length"] },
  });
});

t.test("nothing else is touched", async (t) => {
  const bodies = {
    plain: html,
    json: JSON.stringify(html),
    xhtml: html,
    part: html.slice(0, 4),
    unchanged: "",
    none: "",
    empty: "",
  };
  for (const [name, body] of Object.entries(bodies)) {
    const reply = await get(name);
    t.equal(reply.body, body, name);
    if (body) t.equal(reply.headers["content-length"], String(body.length), name);
  }
  t.equal(gunzipSync(await rawBody("/page/gzip")).toString(), html);
  t.equal((await get("page", { headers: { "sec-fetch-dest": "empty" } })).body, html);
  t.equal((await get("page", { method: "POST" })).body, html);
  const ofCurl = { headers: { accept: "*/*" } };
  t.equal((await get("page", ofCurl)).body, html);
});

function rawBody(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    httpGet({ host: "127.0.0.1", port: apache.port, path, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part)).once("error", reject);
      response.once("end", () => resolve(Buffer.concat(parts)));
    }).once("error", reject);
  });
}

t.test("the script is a file, and has the nonce of the page", async (t) => {
  t.match((await get("nonce")).body, '<script nonce="abc" async src=');
  const source = script.exec((await get("policy")).body)?.[1]?.replaceAll("&amp;", "&") ?? "";
  const { headers, body } = await apache.request(source);
  t.match(headers["content-type"], "text/javascript");
  t.match(body, "new EventSource(");
});

t.test("a saved style sheet is an event, another static file a reload", async (t) => {
  const address = new URL(addressIn((await get("page")).body), apache.url);
  let events = "";
  let version = 0;
  const save = (): void => {
    const file = events.includes("event: style") ? "page.html" : "site.css";
    apache.write(`htdocs/deep/${file}`, `${(version += 1)}`);
  };
  // The watcher begins some time after the page, and a stream ends by itself.
  const saving = setInterval(save, 200);
  t.teardown(() => clearInterval(saving));
  while (!events.includes("event: reload")) {
    const { body } = await fetch(address);
    for await (const part of body ?? []) events += Buffer.from(part).toString();
  }
  clearInterval(saving);
  t.match(events, /\nid: \d+\nevent: style\ndata: \n\n/);
  t.match(events, /event: reload\ndata: \n\n$/);
});

/** Listens as the page that is there now; gives its text, and what ends the listening. */
async function open(): Promise<{ text: string; reloaded: Promise<boolean> }> {
  const { body } = await get("page");
  const address = addressIn(body);
  const begun = Promise.withResolvers<void>();
  const reloaded = new Promise<boolean>((resolve, reject) => {
    httpGet({ host: "127.0.0.1", port: apache.port, path: address, agent: false }, (response) => {
      let events = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        events += part;
        begun.resolve();
      });
      t.match(response.headers["content-type"], "text/event-stream");
      response.once("end", () => resolve(events.includes("event: reload\n")));
    }).once("error", reject);
  });
  await begun.promise;
  return { text: /<p>(.*?)<\/p>/.exec(body)?.[1] ?? body, reloaded };
}

t.test(
  "a save of the handler, of its helper, a broken one, the correction: each reloads the page",
  async (t) => {
    const first = await open();
    t.equal(first.text, "0");
    apache.write("handlers/helper.ts", `export const text = "1";`);
    t.equal(await first.reloaded, true, "helper");

    const second = await open();
    t.equal(second.text, "1");
    apache.write("handlers/page.ts", handlers["page.ts"].replace("<p>", "<p>new "));
    t.equal(await second.reloaded, true, "handler");

    const third = await open();
    t.equal(third.text, "new 1");
    apache.write("handlers/helper.ts", "export const text = ;");
    t.equal(await third.reloaded, true, "broken");

    const fourth = await open();
    t.equal(fourth.text, "new 1", "the last good version");
    apache.write("handlers/helper.ts", `export const text = "2";`);
    t.equal(await fourth.reloaded, true, "corrected");
    t.match((await get("page")).body, "<p>new 2</p>");
  },
);

t.test("a page that never could be loaded shows itself once it can", async (t) => {
  const own = await startApache(t, {
    conf,
    handlers: { "page.ts": "export const handler = (" },
    config: { development: true },
  });
  const { status, body } = await own.request("/page", ofBrowser);
  t.equal(status, 500);
  const address = addressIn(body);
  const events = own.request(address);
  own.write("handlers/page.ts", handlers["page.ts"]);
  own.write("handlers/helper.ts", handlers["helper.ts"]);
  t.match((await events).body, "event: reload");
});

t.test("without development there is neither script nor listener", async (t) => {
  const plain = await startApache(t, { conf, handlers });
  t.equal((await plain.request("/page/page")).body, html);
  t.equal((await plain.request("/.mod-ts/refresh")).status, 500);
});
