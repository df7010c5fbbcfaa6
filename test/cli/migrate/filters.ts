import t from "tap";
import { linesOf, migrateText } from "../../fixtures/migrated.ts";

t.test("filters are named where they are put into the chain", (t) => {
  const { text, needs } = migrateText(
    t,
    `PythonOutputFilter caps CAPS
PythonInputFilter lower::all LOWER
PythonOutputFilter unused
<Directory "/srv">
SetOutputFilter DEFLATE;caps
AddInputFilter LOWER .txt cgi
AddOutputFilterByType CAPS text/html text/plain
SetOutputFilter INCLUDES
</Directory>
`,
  );
  t.same(linesOf(text), [
    '<Directory "/srv">',
    'Use TsOutputFilter "caps.ts"',
    "SetOutputFilter DEFLATE",
    '<FilesMatch "(?i)\\.(?:txt|cgi)(?:\\.[^/]*)?$">',
    'Use TsInputFilter "lower.ts::all"',
    "</FilesMatch>",
    'Use TsOutputFilter "caps.ts | text/html text/plain"',
    "SetOutputFilter INCLUDES",
    "</Directory>",
  ]);
  t.ok(needs.hasFilters);
  t.end();
});
