/** mod_dav takes methods over after all sections: it does so only where the handlers have run. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startOrigin } from "../fixtures/origin.ts";

const sections = {
  fixup: "Use TsFixupHandler no.ts",
  init: "Use TsInitHandler no.ts",
  module: "Use TsModule module.ts",
  around: 'Use TsAroundHandler "no.ts mod_ts/origin"',
  input: "Use TsInputFilter no.ts",
} as const;

const called = (lines: string): string => `
  ${lines}
  <If "reqenv('MOD_TS_CALL') -strmatch 'pass;*'">
    Dav On
  </If>`;

const places: Record<string, string> = {
  guarded: `Dav On
    AuthType mod_ts
    Use TsAccessHandler yes.ts
    Use TsFixupHandler yes.ts
    Require valid-user`,
  // The authorizer leaves type and fixup to the gateway there.
  content: `Dav On
    AuthType mod_ts
    Use TsAccessHandler yes.ts
    Use TsHandler yes.ts
    Use TsFixupHandler no.ts
    Require valid-user`,
  called: called("Use TsFixupHandler yes.ts"),
  refused: called(sections.fixup),
};
for (const [name, lines] of Object.entries(sections)) places[name] = `Dav On\n${lines}`;

const apache = await startOrigin(t, {
  modules: ["mod_dav", "mod_dav_fs"],
  authorizer: true,
  handlers: {
    "no.ts": `import { HttpError } from "mod-ts";
      const no = () => { throw new HttpError(451); };
      export { no as fixupHandler, no as initHandler, no as handler, no as inputFilter };`,
    "module.ts": "export const accessHandler = () => 451;",
    "yes.ts": "export const accessHandler = () => 0, fixupHandler = () => 0;",
  },
  conf: `DavLockDB "\${FOLDER}/locks/dav"
    ${Object.entries(places)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(Object.keys(places).map((name) => [`htdocs/${name}/a.txt`, "before"])),
    "locks/readme.txt": "of mod_dav",
  },
});
chmodSync(join(apache.folder, "locks"), 0o777);
for (const name of Object.keys(places)) chmodSync(join(apache.folder, "htdocs", name), 0o777);

const file = (name: string): string => join(apache.folder, "htdocs", name);

/** Statuses of all methods that write, and whether anything was written. */
async function attempt(name: string): Promise<number[]> {
  const Destination = `http://127.0.0.1:${apache.port}/${name}/b.txt`;
  const lock = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`;
  const statuses = [];
  for (const [method, path, body, headers] of [
    ["PROPFIND", "a.txt", "", { Depth: "0" }],
    ["PUT", "new.txt", "new", {}],
    ["MKCOL", "directory", "", {}],
    ["COPY", "a.txt", "", { Destination }],
    ["LOCK", "a.txt", lock, {}],
    ["PROPPATCH", "a.txt", "<propertyupdate xmlns='DAV:'/>", {}],
    ["DELETE", "a.txt", "", {}],
  ] as const) {
    const reply = await apache.request(`/${name}/${path}`, { method, body, headers });
    statuses.push(reply.status);
  }
  return statuses;
}

t.test("closed where no handler could run before it", async (t) => {
  for (const name of [...Object.keys(sections), "refused", "content"]) {
    const statuses = await attempt(name);
    const expected =
      name === "refused" ? statuses.map(() => 451) : [400, 400, 501, 400, 400, 400, 400];
    t.strictSame(statuses, expected, name);
    t.equal(readFileSync(file(`${name}/a.txt`), "utf8"), "before", name);
    for (const made of ["new.txt", "directory", "b.txt"])
      t.notOk(existsSync(file(`${name}/${made}`)));
  }
});

t.test("no method tells there which files exist", async (t) => {
  const methods =
    "OPTIONS PROPFIND PUT MKCOL DELETE LOCK UNLOCK PROPPATCH COPY MOVE SEARCH REPORT MERGE ACL BIND FOO";
  for (const name of [...Object.keys(sections), "content"]) {
    for (const method of methods.split(" ")) {
      const [known, unknown] = [
        await apache.request(`/${name}/a.txt`, { method }),
        await apache.request(`/${name}/unknown`, { method }),
      ];
      t.ok(known.status === 400 || known.status === 501, `${name} ${method}: ${known.status}`);
      t.equal(unknown.status, known.status, `${name} ${method}`);
      for (const { headers } of [known, unknown]) {
        t.notOk(headers["dav"], `${name} ${method}`);
        t.notOk(headers["allow"], `${name} ${method}`);
      }
    }
  }
  const open = await apache.request("/guarded/", { method: "OPTIONS" });
  t.match(open, { status: 200, headers: { dav: /^1,2/ } }, "where its handlers have run, it works");
});

t.test("open where they have run", async (t) => {
  t.strictSame((await attempt("guarded")).slice(0, 4), [207, 201, 201, 201]);
  t.equal(readFileSync(file("guarded/b.txt"), "utf8"), "before");
  // The handlers have not run for the destination.
  t.strictSame((await attempt("called")).slice(0, 4), [207, 201, 201, 403]);
  for (const name of ["guarded", "called"]) {
    t.equal(readFileSync(file(`${name}/new.txt`), "utf8"), "new", name);
  }
});
