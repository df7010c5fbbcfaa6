/** The guides of docs/migrating.md, word for word, with their directories moved. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { startApache, temporaryFolder } from "../fixtures/httpd.ts";
import { fences } from "../fixtures/markdown.ts";
import { providePackages } from "../fixtures/packages.ts";

const site = temporaryFolder(t);
const write = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(join(site, path)), { recursive: true });
  writeFileSync(join(site, path), text, { mode });
};
const page = readFileSync(join(import.meta.dirname, "../../docs/migrating.md"), "utf8");
const moved = fences(page.replaceAll("/srv/site", site));
const ofKind = (kind: string): string[] =>
  moved.filter(({ info }) => info === kind).map(({ text }) => text);

write(
  "cgi-bin/old.sh",
  "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nold %s' \"$QUERY_STRING\"\n",
  0o755,
);
write(
  "bin/check-password",
  '#!/bin/sh\nread name; read word; [ "$name:$word" = ann:secret ]\n',
  0o755,
);
write("users", `ann:{SHA}${createHash("sha1").update("secret").digest("base64")}\n`);
write("htdocs/prices.tsp", ofKind("tsp").join(""));
write("shop/public/logo.txt", "a logo");

const named = ofKind("ts").map(
  (text) => [/^\/\/ (\S+\.ts)$/m.exec(text)?.[1] ?? "", text] as const,
);
const apache = await startApache(t, {
  authorizer: true,
  conf: ofKind("apache").join("\n"),
  handlers: Object.fromEntries(named),
  files: {
    "htdocs/articles/first.html": "the first article",
    "htdocs/staff/a.txt": "for staff",
    "htdocs/members/a.txt": "for members",
    "htdocs/wiki/a.txt": "for staff",
  },
  config: { handlers: ["handlers", site] },
});
providePackages(apache);

const got = async (path: string, ask = {}): Promise<string> => {
  const { status, body } = await apache.request(path, ask);
  return status === 200 ? body.trim() : String(status);
};

t.test("from CGI", async (t) => {
  t.equal(await got("/cgi-bin/old.sh?a=1"), "old a=1");
  t.equal(await got("/cgi-bin/count.pl?text=one+two"), "2 words");
});

t.test("from RewriteMap prg:", async (t) => {
  t.equal(await got("/a/1"), "the first article");
  t.equal(await got("/a/2"), "404");
});

t.test("from mod_authnz_external", async (t) => {
  const as = (name: string, password: string): object => ({
    headers: { authorization: `Basic ${btoa(`${name}:${password}`)}` },
  });
  t.equal(await got("/staff/a.txt"), "401");
  t.equal(await got("/staff/a.txt", as("ann", "secret")), "for staff");
  t.equal(await got("/staff/a.txt", as("ann", "wrong")), "401");
  // Attack: a line feed in the name shifts the lines that the program reads.
  t.equal(await got("/staff/a.txt", as("ann\nsecret", "x")), "401");
});

t.test("from mod_auth_openidc: without its login service nobody passes", async (t) => {
  const { status } = await apache.request("/wiki/a.txt");
  t.ok(status >= 500, String(status));
});

t.test("from mod_auth_form", async (t) => {
  const { status, headers } = await apache.request("/members/a.txt", {
    headers: { accept: "text/html" },
  });
  t.equal(status, 302);
  t.match(headers.location, /^\/login\b/);
  t.match(await got("/login"), /<form/);
});

t.test("from Passenger", async (t) => {
  t.equal(await got("/shop/hello"), "Hello you!");
  t.equal(await got("/shop/logo.txt"), "a logo");
});

t.test("from PHP pages", async (t) => {
  t.match(await got("/prices.php"), /<li>tea: 2<\/li>[^]*<li>coffee: 3<\/li>/);
});
