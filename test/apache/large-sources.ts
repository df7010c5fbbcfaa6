/** Sources of megabytes, of every kind: other requests of the worker are answered while they compile. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const rows = Array.from(
  { length: 60_000 },
  (_, id) => `  { id: ${id}, name: "row ${id}" } as Row,`,
);
const data = `type Row = { id: number; name: string };\nconst rows: Row[] = [\n${rows.join("\n")}\n];\n`;
const last = "row 59999";

const apache = await startApache(t, {
  config: { handlers: ["handlers", "htdocs/pages"] },
  conf: `
    Alias /cgi "\${FOLDER}/handlers/cgi"
    Alias /pub "\${FOLDER}/handlers/pub"
    <Directory "\${FOLDER}/handlers">
      Require all granted
    </Directory>
    <Directory "\${FOLDER}/handlers/cgi">
      Use TsHandler mod_ts/cgi
    </Directory>
    <Directory "\${FOLDER}/handlers/pub">
      Use TsHandler mod_ts/publisher
    </Directory>
    <Directory "\${FOLDER}/htdocs/pages">
      Use TsHandler mod_ts/pages
    </Directory>
    <Location /small>
      Use TsHandler who.ts
    </Location>`,
  files: { "htdocs/pages/large.tsp": `<%! ${data}%><%= rows.at(-1)!.name %>` },
  handlers: {
    "who.ts": handlerFile("who.ts"),
    "pub/large.ts": `${data}export const last = (): string => rows.at(-1)!.name;`,
    "cgi/large.ts": `${data}console.log("Content-Type: text/plain\\n\\n" + rows.at(-1)!.name);`,
  },
});

for (const [kind, path] of [
  ["a published module", "/pub/large/last"],
  ["a page", "/pages/large.tsp"],
  ["a CGI script", "/cgi/large.ts"],
] as const) {
  t.test(kind, async (t) => {
    t.equal((await apache.request("/small")).status, 200, "nothing else is compiled meanwhile");
    const order: string[] = [];
    const ask = async (target: string): Promise<string> => {
      const { body } = await apache.request(target);
      order.push(target);
      return body.trim();
    };
    const large = ask(path);
    for (let count = 0; count < 3; count += 1) await ask("/small");
    t.equal(await large, last);
    t.same(order, [...Array<string>(3).fill("/small"), path], "it is the last to be answered");
  });
}
