/** `Use TsOption`: inherited, overridden, removed; and `getConfig`. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  conf: `
    Use TsOption server "of the server"
    Use TsOption both server
    Use TsDebug On
    <VirtualHost *:*>
      ServerName main
      Use TsHandler options.ts
      Use TsOption host "of the host"
      <Location /override>
        Use TsOption both location
        Use TsOption more "added here"
      </Location>
      <Location /override/deeper>
        Use TsOption both deeper
        Use TsDebug Off
      </Location>
      <Location /remove>
        Use TsNoOption both
        Use TsNoOption unknown
      </Location>
      <Location /remove/again>
        Use TsOption both again
      </Location>
      <Directory "\${FOLDER}/htdocs">
        Use TsOption both directory
        Use TsOption place directory
      </Directory>
      <Location /values>
        Use TsHandler öpt→ions.ts
        Use TsOption spaces "a  b"
        Use TsOption equals "a=b;c"
        Use TsOption html "<b>&amp;"
        Use TsOption utf8 "häß→"
        Use TsOption __proto__ "just a name"
        Use TsOption MixedCase 1
        Use TsOption mixedcase 2
      </Location>
    </VirtualHost>
    <VirtualHost *:*>
      ServerName other
      Use TsHandler options.ts
      Use TsOption host "of the other"
    </VirtualHost>
  `,
  handlers: {
    "öpt→ions.ts": handlerFile("options-again.ts"),
    "options.ts": handlerFile("options.ts"),
  },
});

type Seen = [Record<string, string>, Record<string, string>];

async function options(path: string, host = "main"): Promise<Seen> {
  const { body } = await apache.request(path, { headers: { host } });
  const [entries, config] = JSON.parse(body) as [[string, string][], Record<string, string>];
  return [Object.fromEntries(entries), config];
}

t.test("levels: server, virtual host, directory", async (t) => {
  const [seen] = await options("/");
  t.strictSame(seen, {
    server: "of the server",
    both: "directory",
    place: "directory",
    host: "of the host",
  });
});

t.test("an inner section overrides and adds", async (t) => {
  const [seen, config] = await options("/override");
  t.match(seen, { both: "location", more: "added here", place: "directory" });
  t.strictSame(config, { TsDebug: "1", TsInterpreter: "main" });
  const [deeper, off] = await options("/override/deeper");
  t.match(deeper, { both: "deeper", more: "added here" });
  t.equal(off["TsDebug"], "0", "Off overrides On");
});

t.test("an option can be removed, and set again", async (t) => {
  const [seen] = await options("/remove");
  t.notOk("both" in seen);
  t.equal(seen["place"], "directory");
  t.equal((await options("/remove/again"))[0]["both"], "again");
});

t.test("virtual hosts have their own", async (t) => {
  const [seen] = await options("/", "other");
  t.strictSame(seen, { server: "of the server", both: "server", host: "of the other" });
});

t.test("names and values of every kind", async (t) => {
  const { body } = await apache.request("/values", { headers: { host: "main" } });
  const [entries] = JSON.parse(body) as [[string, string][]];
  const seen = new Map(entries);
  t.equal(seen.get("spaces"), "a  b");
  t.equal(seen.get("equals"), "a=b;c");
  t.equal(seen.get("html"), "<b>&amp;");
  t.equal(seen.get("utf8"), "häß→");
  t.equal(seen.get("__proto__"), "just a name");
  t.equal(seen.get("MixedCase"), "1");
  t.equal(seen.get("mixedcase"), "2");
});
