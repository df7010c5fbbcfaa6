/** `Use TsDebug On`: what a developer sees of a failure, and what nobody else does. */
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const nasty = "<script>alert(1)</script>";
const location = (name: string, debug: string): string => `
  <Location /${name}>
    Use TsHandler "R&D/throws.ts"
    Use TsDebug ${debug}
  </Location>`;

const apache = await startApache(t, {
  conf: `
    ${location("on", "On")}
    ${location("off", "Off")}
    <Location /default>
      Use TsHandler "R&D/throws.ts"
    </Location>
    <Location /fixup>
      Use TsFixupHandler "R&D/throws.ts::fixup"
      Use TsHandler "R&D/throws.ts"
      Use TsDebug On
    </Location>
    <Location /build>
      Use TsHandler "R&D/build.ts"
      Use TsDebug On
    </Location>
    <Location /build/off>
      Use TsDebug Off
    </Location>
    <Location /missing>
      Use TsHandler none.ts
      Use TsDebug On
    </Location>
    <Location /outcome>
      Use TsHandler "R&D/throws.ts::outcome"
      Use TsDebug On
    </Location>
    <Location /cleanup>
      Use TsHandler "R&D/throws.ts::cleans"
      Use TsDebug On
    </Location>
    <Location /status>
      Use TsHandler "R&D/throws.ts::status"
      Use TsDebug On
    </Location>
  `,
  handlers: {
    "R&D/throws.ts": handlerFile("debug/throws.ts"),
    "R&D/deeper.ts": handlerFile("debug/deeper.ts"),
    "R&D/build.ts": `export const handler = (req) => { req.write("version 1"); };\n`,
  },
});

/** The text of a page, as a reader sees it. */
const textOf = (html: string): string =>
  html
    .replace(/<style>[^]*<\/style>/, "")
    .replace(/<[^>]+>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

t.test(
  "On: a page with message, source, phase, handler and generation; all of it escaped",
  async (t) => {
    const { status, headers, body } = await apache.request(`/on?${nasty}`);
    t.equal(status, 500);
    t.match(headers, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
    t.equal(headers["x-out"], undefined);
    t.notMatch(body, /<script/);
    t.notMatch(body, "half a page");
    const text = textOf(body);
    t.match(text, nasty);
    t.match(text, "the reason & more");
    t.match(text, `${apache.folder}/handlers/R&D/deeper.ts:5:`);
    t.match(body, /<span class=hit>5 {2} {2}throw new TypeError\(text\[0\]/);
    t.match(
      text,
      /^4 {4}const text: Lines = \["<script>/m,
      "lines of the TypeScript file, types and all",
    );
    t.match(text, /Phasehandler/);
    t.match(text, "HandlerR&D/throws.ts");
    t.match(text, `${apache.folder}/handlers/R&D/throws.ts #1`);
    t.match(text, "MODTS_HANDLER_FAILED");
    t.match(text, /at deeper \(.*deeper\.ts:5:\d+\)/);
    t.match(text, /at handler \(.*throws\.ts:13:\d+\)/);
  },
);

t.test("the phase that failed", async (t) => {
  t.match(textOf((await apache.request("/fixup")).body), "Phasefixup");
});

t.test("for a program the same facts as JSON", async (t) => {
  const reply = await apache.request("/on", { headers: { accept: "application/json, */*" } });
  t.match(reply, { status: 500, headers: { "content-type": "application/json" } });
  const { error } = JSON.parse(reply.body) as { error: Record<string, unknown> };
  t.match(error, {
    code: "MODTS_HANDLER_FAILED",
    message: "R&D/throws.ts failed in phase handler",
    causes: [nasty, "the reason & more"],
    phase: "handler",
    handler: "R&D/throws.ts",
    generations: [`${apache.folder}/handlers/R&D/throws.ts #1`],
    frame: { file: join(apache.folder, "handlers/R&D/deeper.ts"), line: 5 },
  });
});

t.test("Off, and by default: none of it", async (t) => {
  for (const name of ["off", "default", "build/off"]) {
    if (name.startsWith("build"))
      apache.write("handlers/R&D/build.ts", "export const handler = (\n");
    for (const accept of ["*/*", "application/json"]) {
      const { status, headers, body } = await apache.request(`/${name}`, { headers: { accept } });
      t.equal(status, 500, name);
      t.match(headers["content-type"], "text/html");
      t.match(body, "<h1>Internal Server Error</h1>");
      t.notMatch(body, /script|reason|deeper|R&|throws|handlers|MODTS/);
    }
  }
});

t.test(
  "a file that does not build: its frame, also when a version before it is good",
  async (t) => {
    apache.write(
      "handlers/R&D/build.ts",
      `export const handler = (req) => { req.write("version 1"); };\n`,
    );
    t.match(await apache.request("/build"), { status: 200, body: "version 1" });
    apache.write(
      "handlers/R&D/build.ts",
      `\nexport const handler = (req) => {\n  req.write("a" b");\n};\n`,
    );
    const broken = await apache.request("/build");
    t.equal(broken.status, 500);
    t.match(textOf(broken.body), "MODTS_BUILD_FAILED");
    t.match(broken.body, /<span class=hit>3 {2} {2}req\.write\(&quot;a&quot; b/);
    t.match(textOf(broken.body), /R&D\/build\.ts:3:/);
    t.match(await apache.request("/build/off"), { status: 200, body: "version 1" });
    apache.write(
      "handlers/R&D/build.ts",
      `export const handler = (req) => { req.write("version 2"); };\n`,
    );
    t.match(await apache.request("/build"), { status: 200, body: "version 2" });
  },
);

t.test("mistakes without a line in a file: a missing file, a bad outcome", async (t) => {
  const missing = await apache.request("/missing");
  t.equal(missing.status, 500);
  t.match(textOf(missing.body), "CodeMODTS_HANDLER_NOT_FOUND");
  t.match(textOf(missing.body), /none\.ts .*\/handlers/, "the file, and where it was looked for");
  t.match(textOf(missing.body), "Generationnone loaded");
  const outcome = await apache.request("/outcome");
  t.match(textOf(outcome.body), /R&D\/throws\.ts::outcome returned "ok" in phase handler/);
});

t.test(
  "a status that a handler gave is no failure; a cleanup that fails is shown to nobody",
  async (t) => {
    t.match(await apache.request("/status"), { status: 404, body: /<h1>Not Found/ });
    t.match(await apache.request("/cleanup"), { status: 200, body: /^fine$/ });
  },
);
