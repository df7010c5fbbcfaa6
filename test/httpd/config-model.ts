import t from "tap";
import {
  fileOf,
  type Host,
  readHosts,
  sampleOf,
  sectionsFor,
  type Target,
  uriOf,
} from "../../src/httpd/config-model.ts";
import { parseConfigTree } from "../../src/httpd/config-tree.ts";

const [main, a] = readHosts(
  parseConfigTree(`DocumentRoot "/srv/www/"
Alias "/icons/" "/usr/share/icons/"
<Location "/">
  A 1
</Location>
<Directory "/srv/www/a">
  A 1
  <Files "*.pdf">
    A 1
  </Files>
  <If "%{REQUEST_METHOD} == 'GET'">
    A 1
  </If>
</Directory>
<Directory "/srv">
  A 1
</Directory>
<DirectoryMatch "/a$">
  A 1
</DirectoryMatch>
<Directory ~ "(?i)/A/">
  A 1
</Directory>
<Directory "/home/*/www">
  A 1
</Directory>
<FilesMatch "^\\.ht">
  A 1
</FilesMatch>
<Directory "(">
  A 1
</Directory>
<DirectoryMatch "(">
  A 1
</DirectoryMatch>
<VirtualHost *:80>
  DocumentRoot "/srv/other"
  Alias "/b" "/srv/www"
  <Location "/b/a">
    A 1
  </Location>
  <If "true">
    A 1
  </If>
</VirtualHost>`),
) as [Host, Host];

const titles = (host: Host, target: Target): string[] =>
  sectionsFor(host, target).map(
    ({ section, match }) =>
      `${section.directive.name} ${section.directive.args}${match === "maybe" ? " ?" : ""}`,
  );

t.test("the sections of a request, in httpd's order of merging", (t) => {
  t.same(titles(main, { uri: "/a/x.pdf", file: "/srv/www/a/x.pdf" }), [
    'Directory "/srv"',
    'Directory "/srv/www/a"',
    'Directory ~ "(?i)/A/"',
    'Files "*.pdf"',
    'Location "/"',
    "If \"%{REQUEST_METHOD} == 'GET'\" ?",
  ]);
  t.same(titles(main, { uri: "/.htaccess", file: "/srv/www/.htaccess" }), [
    'Directory "/srv"',
    'FilesMatch "^\\.ht"',
    'Location "/"',
  ]);
  t.same(titles(main, { uri: "/~ann/", file: "/home/ann/www/x" }), [
    'Directory "/home/*/www"',
    'Location "/"',
  ]);
  t.same(titles(a, { uri: "/b/a/x", file: "/srv/www/a/x" }), [
    'Directory "/srv"',
    'Directory "/srv/www/a"',
    'Directory ~ "(?i)/A/"',
    'Location "/"',
    'Location "/b/a"',
    "If \"%{REQUEST_METHOD} == 'GET'\" ?",
    'If "true"',
  ]);
  t.end();
});

t.test("what is unknown may apply", (t) => {
  t.ok(titles(main, { uri: "/x" }).includes('Directory "/srv" ?'));
  t.ok(titles(main, { uri: "/a/", file: "/srv/www/a/" }).includes('Files "*.pdf" ?'));
  t.notOk(titles(main, { uri: "/x", file: "/srv/www/ax" }).includes('Directory "/srv/www/a"'));
  t.end();
});

t.test("addresses and files", (t) => {
  t.equal(fileOf(main, "/x/y"), "/srv/www/x/y");
  t.equal(fileOf(main, "/icons/x"), "/usr/share/icons/x");
  t.equal(fileOf(a, "/b/x"), "/srv/www/x");
  t.equal(fileOf(a, "/x"), "/srv/other/x");
  t.equal(uriOf(main, "/srv/www/a/"), "/a/");
  t.equal(uriOf(main, "/srv/www/icons/x"), undefined, "an Alias takes the address");
  t.equal(uriOf(a, "/srv/www/a"), "/b/a");
  t.equal(uriOf(a, "/etc/passwd"), undefined);
  t.end();
});

t.test("a request for each section", (t) => {
  const samples = main.sections.map((section) => sampleOf(section, main));
  t.same(samples.slice(0, 4), [
    { uri: "/", file: "/srv/www/" },
    { uri: "/a/", file: "/srv/www/a/" },
    undefined,
    { uri: "/a/", file: "/srv/www/a/" },
  ]);
  t.end();
});
