/** `Use TsHtaccess`: two lines of `.htaccess` name a handler. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const setHandler = 'SetHandler "%{reqenv:MOD_TS_BACKEND}"';
const append = (line: string): string => `RequestHeader append Mod-Ts-Config "\\t${line}"`;

const apache = await startApache(t, {
  authorizer: true,
  before: "Define MOD_TS_SECRET 0123456789abcdef",
  config: { secret: "0123456789abcdef" },
  conf: `
    <Directory "\${FOLDER}/htdocs">
      Require all granted
    </Directory>
    <Directory "\${FOLDER}/htdocs/people">
      AllowOverride FileInfo
      Use TsHtaccess
    </Directory>`,
  files: {
    "htdocs/people/ann/.htaccess": `${setHandler}\n${append("handler options.ts")}\n${append("option greeting hello")}\n`,
    "htdocs/people/ann/b/.htaccess": `${append("option greeting bye")}\n`,
    "htdocs/people/bob/.htaccess": `<FilesMatch "\\.page$">\n${setHandler}\n${append("handler options.ts")}\n</FilesMatch>\n`,
    "htdocs/people/bob/a.page": "SOURCE\n",
    "htdocs/people/bob/a.txt": "TEXT\n",
    "htdocs/people/carl/a.txt": "TEXT\n",
    "htdocs/people/dora/.htaccess": `${setHandler}\n`,
    "htdocs/people/dora/a.txt": "TEXT\n",
    "htdocs/elsewhere/.htaccess": `${setHandler}\n`,
    "htdocs/elsewhere/a.txt": "TEXT\n",
  },
  handlers: { "options.ts": handlerFile("options.ts") },
});

t.test("two lines name a handler, further ones its options", async (t) => {
  const { status, body } = await apache.request("/people/ann/any");
  t.equal(status, 200);
  t.match(body, /"greeting","hello"/);
  t.match((await apache.request("/people/ann/b/any")).body, /"greeting","bye"/);
});

t.test("in <FilesMatch> they are for those files only", async (t) => {
  const { body } = await apache.request("/people/bob/a.page");
  t.match(JSON.parse(body), [[], {}]);
  t.match(await apache.request("/people/bob/a.txt"), { status: 200, body: "TEXT\n" });
});

t.test("without lines, Apache serves as before", async (t) => {
  t.match(await apache.request("/people/carl/a.txt"), { status: 200, body: "TEXT\n" });
});

t.test("without a handler, nothing is shown", async (t) => {
  const { status, body } = await apache.request("/people/dora/a.txt");
  t.equal(status, 500);
  t.notMatch(body, "TEXT");
});

t.test("outside such a section, requests are refused", async (t) => {
  t.equal((await apache.request("/elsewhere/a.txt")).status, 403);
});

t.test("a forged context of a visitor names no file", async (t) => {
  const headers = {
    "Mod-Ts-Config": "\thandler other.ts",
    "Mod-Ts-Context": "2;forged",
    "Mod-Ts-Told": "main",
  };
  t.match((await apache.request("/people/ann/any", { headers })).body, /"greeting","hello"/);
});
