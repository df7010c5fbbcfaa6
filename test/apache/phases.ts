/** Phases through Apache: their order, how a request ends in each, which handlers a file gets. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { until } from "../fixtures/until.ts";

const phases = ["Init", "HeaderParser", "Type", "Fixup", "", "Log", "Cleanup"];

const apache = await startApache(t, {
  conf: `
    ${journalConf}
    ErrorDocument 404 /own-404.txt
    <Location /all>
      ${phases
        .map((phase) => `Use Ts${phase}Handler trace.ts`)
        .toReversed()
        .join("\n")}
    </Location>
    ${phases
      .slice(0, 4)
      .map(
        (phase) => `
    <Location ~ "^/${phase.toLowerCase()}/">
      Use TsHandler trace.ts
      Use Ts${phase}Handler end.ts::handler
      Use TsLogHandler trace.ts
    </Location>`,
      )
      .join("\n")}
    <Location /stack>
      Use TsHandler "stack.ts::a stack.ts::declined stack.ts::thrown stack.ts::b stack.ts::stop stack.ts::b"
    </Location>
    <Location /first>
      Use TsHandler stack.ts::b
      Use TsTypeHandler "stack.ts::declined stack.ts::a stack.ts::stop"
      Use TsFixupHandler "stack.ts::declined stack.ts::a stack.ts::a"
    </Location>
    <Directory "\${FOLDER}/htdocs">
      Use TsHandler where.ts::outer
      Use TsHandler "where.ts::text | .txt .tar.gz"
    </Directory>
    <Directory "\${FOLDER}/htdocs/inner">
      Use TsHandler where.ts::inner
      <Files "special.*">
        Use TsHandler where.ts::special
      </Files>
    </Directory>
    <Directory "\${FOLDER}/htdocs/declines">
      Use TsHandler "stack.ts::declined | .txt"
      Use TsHandler stack.ts::declined
    </Directory>
    <Location /plain>
      Use TsHandler end.ts::handler
    </Location>
    <Location /document>
      Use TsHandler end.ts::handler
      Use TsErrorDocument
    </Location>
    <Location /own-404.txt>
      Use TsNoHandler
    </Location>
  `,
  files: {
    "htdocs/own-404.txt": "Apache's own",
    "htdocs/a.html": "",
    "htdocs/b.txt": "",
    "htdocs/c.tar.gz": "",
    "htdocs/c.x.tar.gz": "",
    "htdocs/inner/a.html": "",
    "htdocs/inner/b.txt": "",
    "htdocs/inner/special.html": "",
    "htdocs/declines/file.txt": "the plain file",
    "htdocs/declines/file.css": "body {}",
  },
  handlers: {
    "journal.ts": journalModule,
    "trace.ts": handlerFile("phases-trace.ts"),
    "end.ts": handlerFile("phases-end.ts"),
    "stack.ts": handlerFile("phases-stack.ts"),
    "where.ts": ["outer", "text", "inner", "special"]
      .map((name) => `export const ${name} = (req) => { req.write("${name} " + req.extension); };`)
      .join("\n"),
  },
});

t.test("every phase of the sidecar, in order, whatever the order of the lines", async (t) => {
  t.equal((await apache.request("/all")).body, "content");
  const seen = await journalHas(apache, "/all cleanup");
  t.strictSame(
    seen,
    ["init", "headerparser", "type", "fixup", "handler", "log", "cleanup"].map((p) => `/all ${p}`),
  );
});

for (const phase of ["init", "headerparser", "type", "fixup"]) {
  t.test(`${phase} can end the request, which is logged all the same`, async (t) => {
    const get = (name: string) => apache.request(`/${phase}/${name}`);
    t.match(await get("ok"), { status: 200, body: "content" });
    t.match(await get("declined"), { status: 200, body: "content" });
    t.match(await get("done"), { status: 200, body: `done in ${phase}` });
    t.match(await get("own"), { status: 404, body: "own" });
    t.match(await get("elsewhere"), { status: 302, headers: { location: /\/b$/ } });
    t.match(await get("thrown"), { status: 410, body: "thrown away" });
    t.match(await get("thrown-done"), { status: 202, body: "nearly done" });
    const forbidden = await get("forbidden");
    t.match(forbidden, { status: 403, headers: { "x-err": "1" } });
    t.equal(forbidden.headers["x-out"], undefined, "a refusal drops headersOut");
    const skip = (await readJournal(apache)).length;
    t.equal((await get("fails")).status, 500, "a handler that throws ends the request");
    t.equal((await get("text")).status, 500, "a handler that returns text ends the request");
    const seen = await journalHas(apache, `/${phase}/text log`, skip);
    t.strictSame(seen, [`/${phase}/fails log`, `/${phase}/text log`], "no content");
    const log = await until(() => apache.sidecarLog(), `returned "ok" in phase ${phase}`);
    t.match(log, `MODTS_HANDLER_FAILED: end.ts::handler failed in phase ${phase}`);
    t.match(log, `MODTS_BAD_OUTCOME: end.ts::handler returned "ok" in phase ${phase}`);
  });
}

t.test(
  "content handlers go on after OK and DECLINED, returned or thrown, until another outcome",
  async (t) => {
    t.match(await apache.request("/stack"), { status: 200, body: /^atb$/ });
  },
);

t.test("type stops at its first OK, fixup runs all", async (t) => {
  t.match(await apache.request("/first"), { status: 200, body: /^aaab$/ });
});

t.test(
  "a list for extensions takes the place of the plain one; an extension begins at the first dot",
  async (t) => {
    const cases = {
      "/a.html": "outer .html",
      "/b.txt": "text .txt",
      "/c.tar.gz": "text .tar.gz",
      "/c.x.tar.gz": "outer .x.tar.gz",
      "/none": "outer null",
    };
    for (const [path, body] of Object.entries(cases)) {
      t.equal((await apache.request(path)).body, body, path);
    }
  },
);

t.test("an inner section replaces the list of an outer one, extension by extension", async (t) => {
  t.equal((await apache.request("/inner/a.html")).body, "inner .html");
  t.equal((await apache.request("/inner/b.txt")).body, "text .txt", "lists are kept by extension");
  t.equal((await apache.request("/inner/special.html")).body, "special .html");
});

t.test("when all decline, Apache's plain file is the answer", async (t) => {
  t.match(await apache.request("/declines/file.txt"), {
    status: 200,
    body: "the plain file",
    headers: { "content-type": /^text\/plain/ },
  });
  t.match(await apache.request("/declines/file.css"), {
    headers: { "content-type": /^text\/css/ },
  });
  t.equal((await apache.request("/declines/none.txt")).status, 404);
});

t.test("error pages: ours, or with TsErrorDocument Apache's", async (t) => {
  t.match(await apache.request("/plain/missing"), { status: 404, body: /<h1>Not Found/ });
  t.match(await apache.request("/document/missing"), { status: 404, body: "Apache's own" });
  t.match(await apache.request("/plain/own"), { status: 404, body: "own" });
});
