import t from "tap";
import { join } from "node:path";
import { titleOf } from "../../src/httpd/merged-config.ts";
import { mergedConfig } from "../fixtures/merged-config.ts";

const config = mergedConfig(
  `DocumentRoot "/srv"
<Directory "/srv">
  Require all granted
</Directory>
<Location "/members">
  Use TsAuthenHandler users.ts
  Require valid-user
</Location>
<Location "/members/open">
  AuthMerging Or
  Require all granted
</Location>
Use TsOption a.b c
<VirtualHost *:80>
  ServerName a.test
  <Location "/only">
    Use TsHandler hello.ts
  </Location>
</VirtualHost>`,
  { modules: ["mod_headers"] },
);
const [main, virtual] = config.hosts;
const section = (title: string) => config.sections.find((each) => titleOf(each).includes(title))!;

t.test("sections that the administrator wrote, and our lines in them", async (t) => {
  t.same(config.sections.map(titleOf), [
    '<Directory "/srv">',
    '<Location "/members">',
    '<Location "/members/open">',
    '<Location "/only">',
  ]);
  t.equal(config.confFile, "/etc/mod_ts.conf");
  t.same(
    config.ours(section('"/members"')).map(({ kind }) => kind),
    ["ask", "authen"],
  );
  t.equal(config.ours(section('"/members"')), config.ours(section('"/members"')), "read once");
});

t.test("each line counts once, though a macro writes it for two modules", async (t) => {
  t.same(
    config.lines.map(({ kind, value }) => `${kind} ${value}`.trim()),
    ["option a.b c", "ask", "authen users.ts", "handler hello.ts"],
  );
});

t.test("sections of the main server apply in all virtual hosts", async (t) => {
  t.same(config.hostsOf(section('"/members"')), [main, virtual]);
  t.same(config.hostsOf(section("/only")), [virtual]);
});

t.test("the section that decides, if that is certain", async (t) => {
  const members = section('"/members"');
  t.equal(config.deciding(config.chain(members, main!)), members, "the last with a Require line");
  const open = section("/members/open");
  t.equal(config.deciding(config.chain(open, main!)), undefined, "not with AuthMerging");
});

t.test("who gets a file", async (t) => {
  const isPublic = (uri: string) => config.isPublic(main!, { uri, file: `/srv${uri}` });
  t.ok(isPublic("/a.txt"), "everybody, by the lines of the directory");
  t.notOk(isPublic("/members/a.txt"), "users only, by those of the location");
});

t.test("the line that defines a variable", async (t) => {
  const folder = t.testdir({ "a.conf": 'Listen 80\n  define MOD_TS_RUN "/run/x"\n' });
  const file = join(folder, "a.conf");
  const there = mergedConfig("", { files: [file] });
  t.equal(there.whereDefined("MOD_TS_RUN", "/run/x"), `${file}:2`);
  t.equal(there.whereDefined("MOD_TS_RUN", "/run/y"), undefined, "with another value");
});
