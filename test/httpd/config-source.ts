import { join } from "node:path";
import t from "tap";
import {
  flatten,
  parseSource,
  readSource,
  type SourceDirective,
} from "../../src/httpd/config-source.ts";

t.test("directives, sections, comments, continued lines", (t) => {
  const text = `# a comment \\
that continues
ServerName  "a b"
<Location "/x">
    Require all \\
        granted
    <Limit POST>
    </Limit>
</Location>
</Odd>
`;
  const [comment, name, location, odd, ...rest] = parseSource(text, "/a.conf");
  t.match(comment, { name: "", raw: "# a comment \\\nthat continues" });
  t.match(name, { name: "ServerName", args: '"a b"', place: { file: "/a.conf", line: 3 } });
  t.match(location, {
    name: "Location",
    args: '"/x"',
    isSection: true,
    raw: '<Location "/x">',
    children: [
      { name: "Require", args: "all         granted", place: { line: 5 } },
      { name: "Limit", isSection: true, children: [] },
    ],
  });
  t.match(odd, { isSection: false, raw: "</Odd>" });
  t.same(rest, []);
  t.end();
});

t.test("included files take their places, by wildcard and by directory", (t) => {
  const folder = t.testdir({
    "httpd.conf": `ServerName x
<IfModule mod_python.c>
  <Location /a>
    Include parts/a.conf
  </Location>
</IfModule>
IncludeOptional more
IncludeOptional none/*.conf
Include httpd.conf
`,
    parts: { "a.conf": "A 1\n<IfDefine X>\nA 2\n</IfDefine>\n" },
    more: { "2.conf": "M 2\n", deep: { "1.conf": "M 1\n" } },
  });
  const source = readSource(join(folder, "httpd.conf"), folder);
  const named = (directives: readonly SourceDirective[]): unknown[] =>
    directives.map(({ name, args, children }) => [`${name} ${args}`, ...named(children)]);
  t.same(named(flatten(source)).slice(1), [["Location /a", ["A 1"], ["A 2"]], ["M 2"], ["M 1"]]);
  t.end();
});

t.test("what follows a tag is ignored", (t) => {
  const [first, second] = parseSource(
    '<Location "/a>b"> # one\nA 1\n</Location> # two\nB 2\n',
    "/a",
  );
  t.match(first, { name: "Location", args: '"/a>b"', isSection: true, children: [{ name: "A" }] });
  t.match(second, { name: "B" });
  t.end();
});
